"""The house: files import only from lower floors, wings never meet, and what has to start fast imports little."""

from __future__ import annotations

import ast
import importlib
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "nni_strategies"

FLOORS = (
    ("errors", "compat", "data_folder", "nni_database", "module_modes", "nni_manifest", "pairs", "ranks"),
    ("space",),
    ("topology", "search", "supernet"),
    ("bridge", "report"),
    ("lanas", "irlas", "rsa", "nat"),
    ("commands", "cli"),
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
WINGS = FLOORS[4]
# the files and folders of a wing that NNI loads, or that speak to it
NNI_FACES = (
    "tuner", "strategy", "assessor", "evaluator", "channel", "trial", "lightning", "one_shot", "middleware",
    "shaped_tuner", "base_tuner", "model_space",
)  # fmt: skip

LONGEST_FILE = 400
LONGEST_MEDIAN = 150


def modules(root: Path) -> Iterator[tuple[str, ast.Module]]:
    """Yield every file of the package below `root` as (dotted name, tree)."""
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, ast.parse(path.read_text(), str(path))


def imports(tree: ast.Module) -> set[str]:
    """Return what a file imports, anywhere in it but for type checkers only."""
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def floor_faults(name: str, imported: str) -> str | None:
    """Say which rule of the house `name` breaks by importing `imported`, if any."""
    package, target = name.split("."), imported.split(".")
    own = package[1] if len(package) > 1 else ""
    if target[0] in ("search_spaces", "trial_code", "experiments", "tests"):
        return "the package stands without search spaces, trial code and experiments"
    if target[0] == PACKAGE and len(target) > 1 and target[1] in FLOOR and own != target[1]:
        if own not in FLOOR:
            return "the package itself imports lazily"
        if own in WINGS and target[1] in WINGS:
            return "wings never import each other"
        if FLOOR[target[1]] > FLOOR[own] or (FLOOR[target[1]] == FLOOR[own] and own not in ("commands", "cli")):
            return "only from lower floors"
    if target[0] == "nni" and not may_import_nni(package):
        return "only compat, space/from_nni, supernet, bridge and the wings' NNI classes import nni"
    if target[:2] == ["nni", "nas"] and package[-1] == "tuner":
        return "a tuner never pulls in nni.nas"
    if target[0] in ("torch", "torchvision") and own in ("errors", "space", "search", "lanas"):
        return "space, search and lanas do without torch"
    return None


def may_import_nni(package: list[str]) -> bool:
    own, inner = package[1] if len(package) > 1 else "", package[2:]
    is_face = own in WINGS and not set(inner).isdisjoint(NNI_FACES)
    return own in ("compat", "bridge", "supernet") or package[1:] == ["space", "from_nni"] or is_face


def faults(root: Path) -> list[str]:
    return [
        f"{name} imports {imported}: {fault}"
        for name, tree in modules(root)
        for imported in sorted(imports(tree))
        if (fault := floor_faults(name, imported))
    ]


def test_every_file_imports_only_from_below():
    assert faults(ROOT) == []


def test_every_top_level_name_has_a_floor():
    entries = (ROOT / PACKAGE).iterdir()
    names = {path.stem for path in entries if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert names - {"__init__"} <= set(FLOOR)


@pytest.mark.parametrize(
    ("file", "line", "rule"),
    [
        ("space/a.py", "from nni_strategies.search import study", "lower floors"),
        ("search/a.py", "from nni_strategies.topology.graph import TopologyGraph", "lower floors"),
        ("lanas/a.py", "import nni_strategies.irlas.reward", "wings"),
        ("lanas/searcher.py", "def f():\n    import nni", "import nni"),
        ("lanas/tuner.py", "from nni.nas import strategy", "nni.nas"),
        ("space/a.py", "import torch", "without torch"),
        ("bridge/a.py", "from search_spaces import digits_cell", "stands without"),
        ("__init__.py", "from nni_strategies.lanas import tuner", "lazily"),
    ],
)
def test_the_checker_sees_a_fault(tmp_path: Path, file: str, line: str, rule: str):
    path = tmp_path / PACKAGE / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(line)
    (found,) = faults(tmp_path)
    assert rule in found


def test_the_checker_lets_type_imports_pass(tmp_path: Path):
    path = tmp_path / PACKAGE / "space" / "a.py"
    path.parent.mkdir(parents=True)
    path.write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n")
    assert faults(tmp_path) == []


def test_files_are_short():
    folders = ("nni_strategies", "search_spaces", "trial_code", "experiments", "tests")
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}
    package = [length for name, length in lengths.items() if name.startswith(PACKAGE) and length > 5]
    assert statistics.median(package) <= LONGEST_MEDIAN


# one process imports them one after another: each is judged with those above it, never more mildly
ABSENT = {
    "nni_strategies": ("nni", "torch", "numpy", "scipy", "sklearn"),
    "nni_strategies.rsa": ("nni", "torch", "numpy", "scipy", "sklearn"),
    "nni_strategies.cli": ("nni", "torch", "sklearn"),
    "nni_strategies.search.study": ("nni", "torch", "sklearn"),
    "nni_strategies.bridge.tuner": ("torch", "sklearn", "nni.nas", "pytorch_lightning", "networkx", "plotly"),
    "nni_strategies.lanas.tuner": ("torch", "sklearn", "nni.nas", "pytorch_lightning", "networkx", "plotly"),
    "nni_strategies.irlas.tuner": ("torch", "sklearn", "nni.nas", "pytorch_lightning", "networkx", "plotly"),
    "nni_strategies.irlas.shaped_tuner": ("torch", "sklearn", "nni.nas", "pytorch_lightning"),
    "nni_strategies.rsa.assessor": ("torch", "nni.nas"),
    "nni_strategies.nat.tuner": ("nni.nas", "pytorch_lightning", "torchvision", "sklearn"),  # its policy is torch's
    "nni_strategies.rsa.trial": ("nni.nas", "pytorch_lightning", "torchvision"),
}


@pytest.mark.timeout(60)  # NNI is imported
def test_an_import_brings_little():
    program = "import importlib, sys\n" + "".join(
        f"importlib.import_module({module!r})\nprint({module!r}, [name for name in {absent} if name in sys.modules])\n"
        for module, absent in ABSENT.items()
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.stdout.splitlines() == [f"{module} []" for module in ABSENT], ran.stderr


@pytest.mark.timeout(60)  # nni.nas is imported
def test_public_names_lead_to_what_they_name():
    import nni_strategies
    from nni_strategies.rsa.build import build_teacher
    from nni_strategies.rsa.evaluator import TeacherGuidedEvaluator

    assert nni_strategies.TeacherGuidedEvaluator is TeacherGuidedEvaluator
    assert importlib.import_module("nni_strategies.rsa").build_teacher is build_teacher
    for package in ("nni_strategies", "nni_strategies.rsa"):
        module = importlib.import_module(package)
        assert all(getattr(module, name).__name__ == name for name in module.__all__)
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            _ = module.nothing
