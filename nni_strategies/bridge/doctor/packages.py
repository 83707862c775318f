"""The doctor's look at Python and its packages: versions, and torchvision beside torch."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import Version

from nni_strategies.bridge.doctor.finding import Finding, ok
from nni_strategies.compat import load_torchvision

OLDEST, NEWEST = (3, 10), (3, 12)

# Why a version matters, where the bare requirement does not tell.
_REASONS = {
    "setuptools": "nnictl imports pkg_resources, which newer ones do not have",
    "typeguard": "NNI's configs do not load with another",
    "filelock": "NNI asks for it",
    "pytorch-lightning": "NNI's evaluators need it; the package `lightning` does not count",
    "torch": "torchvision is built for exactly this one",
}


def check_python(version: Sequence[int] | None = None) -> Finding:
    """Look at the version of Python; this one's when none is given."""
    version = tuple(sys.version_info[:3]) if version is None else version
    found = ".".join(map(str, version[:3]))
    if OLDEST <= tuple(version[:2]) <= NEWEST:
        return ok("Python", found)
    mend = "make the environment with Python 3.10, 3.11 or 3.12: NNI 3.0 does not work with others"
    return Finding("Python", "problem", found, mend)


def check_packages(
    packages: Sequence[str] = ("nni-strategies", "nni", "torchvision"),
    requires: Callable[[str], list[str] | None] = metadata.requires,
    version: Callable[[str], str] = metadata.version,
) -> Iterator[Finding]:
    """Look at everything that `packages` say they require.

    Parameters
    ----------
    packages
        Whose requirements are looked at.
    requires, version
        Where requirements and installed versions come from.

    Yields
    ------
    Finding
        One for each requirement that is not met, and one for all the others together.
    """
    met = 0
    for package in packages:
        try:
            requirements = [Requirement(text) for text in requires(package) or []]
        except metadata.PackageNotFoundError:
            yield Finding(package, "problem", "not installed", f"pip install {package}")
            continue
        for requirement in requirements:
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            finding = _unmet(requirement, package, version)
            if finding is None:
                met += 1
            else:
                yield finding
    yield ok("packages", f"{met} requirements of {', '.join(packages)} are met")


def _unmet(requirement: Requirement, package: str, version: Callable[[str], str]) -> Finding | None:
    """Return what is wrong with a requirement, or None."""
    name = requirement.name.lower().replace("_", "-")
    mend = f"pip install {shlex.quote(f'{name}{requirement.specifier}')}"
    reason = f" ({_REASONS[name]})" if name in _REASONS else ""
    try:
        installed = version(name)
    except metadata.PackageNotFoundError:
        return Finding(name, "problem", f"not installed, {package} needs it{reason}", mend)
    if requirement.specifier.contains(Version(installed), prereleases=True):
        return None
    return Finding(name, "problem", f"{installed}, {package} needs {requirement.specifier}{reason}", mend)


def check_torchvision() -> Finding:
    """Import torchvision beside this torch, and say whether its compiled operators loaded."""
    try:
        torchvision = load_torchvision()
        import torch
        from torchvision.extension import _has_ops
    except Exception as error:  # whatever an import can raise
        problem = " ".join(str(error).split())[:200]
        mend = "install torch and torchvision of the same release, see pytorch.org"
        return Finding("torchvision", "problem", f"cannot be imported: {problem}", mend)
    pair = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    if _has_ops():
        return ok("torchvision", pair)
    return ok("torchvision", f"{pair}: works without its compiled operators (torchvision.ops.nms …)")
