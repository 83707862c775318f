"""Nothing we ship runs what it reads: no pickle, no unsafe YAML, no eval, no shell, no torch.load of objects."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ("nni_strategies", "search_spaces", "trial_code", "experiments")

UNSAFE_MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "marshal", "shelve", "joblib"}
UNSAFE_CALLS = {
    "eval": "runs its argument",
    "exec": "runs its argument",
    "os.system": "goes through a shell",
    "os.popen": "goes through a shell",
    "yaml.load": "use yaml.safe_load",
    "yaml.full_load": "use yaml.safe_load",
    "yaml.unsafe_load": "use yaml.safe_load",
    "pandas.read_pickle": "unpickles",
    "pd.read_pickle": "unpickles",
    "nni.load": "unpickles __nni_type__; trial_code/parameters.py reads plain JSON",
}


def unsafe(tree: ast.Module) -> list[str]:
    """Return what a file does that could run what it reads, as ``line: what``."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [f"{node.lineno}: imports {name}" for name in names if name.split(".")[0] in UNSAFE_MODULES]
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            if name in UNSAFE_CALLS:
                found.append(f"{node.lineno}: {name}: {UNSAFE_CALLS[name]}")
            if name == "torch.load" and keywords.get("weights_only") != "True":
                found.append(f"{node.lineno}: torch.load without weights_only=True")
            if keywords.get("allow_pickle", "False") != "False":
                found.append(f"{node.lineno}: {name} with allow_pickle")
            if keywords.get("shell", "False") != "False":
                found.append(f"{node.lineno}: {name} with shell")
    return found


def test_nothing_shipped_runs_what_it_reads():
    found = {
        str(path.relative_to(ROOT)): faults
        for folder in SHIPPED
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (faults := unsafe(ast.parse(path.read_text())))
    }
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from cloudpickle import loads",
        "eval('1')",
        "yaml.load(text, Loader=yaml.Loader)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(command, shell=True)",
        "def f():\n    import joblib",
    ],
)
def test_the_checker_sees_a_fault(line: str):
    assert len(unsafe(ast.parse(line))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "network.eval()",
        "torch.load(path, weights_only=True)",
        "np.load(path, allow_pickle=False)",
        "yaml.safe_load(text)",
    ],
)
def test_the_checker_lets_the_safe_pass(line: str):
    assert unsafe(ast.parse(line)) == []
