# `make demo` and `make test` work in a fresh clone: each first sets up .venv by itself, once.

# the first Python that will do; `make PYTHON=/path/to/python test` chooses another
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/.ready
PYTEST := $(BIN)/python -m pytest

# trials and tests run side by side: one thread each
export OMP_NUM_THREADS := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint unit integration clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 22

setup: $(READY) ## .venv with everything that `demo` and `test` need

demo: $(READY) ## the main job: LaNAS searches real networks in a real NNI experiment (about 2 minutes)
	@$(BIN)/nni_strategies demo

# every part runs, also after one that failed; pytest's closing line comes last
test: $(READY) ## everything: lint, unit, integration
	@status=0; for part in lint unit integration; do $(MAKE) --no-print-directory $$part || status=1; done; exit $$status

lint: $(READY) ## ruff and mypy, as strict as pyproject.toml says
	$(BIN)/ruff check .
	$(BIN)/mypy

unit: $(READY) ## the quick tests, which need neither NNI's manager nor a browser nor sshd
	$(PYTEST) -m "not integration and not slow" -n 2 --dist worksteal

integration: $(READY) ## the tests on real NNI experiments and the slow ones, two files at a time
	$(PYTEST) -m "integration or slow" -n 2 --dist loadfile

clean: ## remove .venv and what tools left behind
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: Python 3.10, 3.11 or 3.12 is needed, found: $$(python3 --version 2>&1); \
	install one, or say which: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 12) else \
	"error: %s is Python %d.%d; 3.10, 3.11 or 3.12 is needed" % (sys.executable, *v))'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { rm -rf .venv; \
	echo "error: $(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]" -c constraints.txt
	@touch $@
