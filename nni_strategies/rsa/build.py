"""Build a teacher: from a network, from RDMs measured elsewhere, or from recorded activations.

Built once, before the experiment; trials load vectors only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.ceiling import noise_ceiling, split_half_ceiling
from nni_strategies.rsa.gram import Gram, gram
from nni_strategies.rsa.layers import discover_layers, late_layers
from nni_strategies.rsa.network import load_network, load_weights
from nni_strategies.rsa.rdm import correlation_rdm, dead_rows, is_informative
from nni_strategies.rsa.rdm_files import read_rdms
from nni_strategies.rsa.similarity import gram_signature
from nni_strategies.rsa.stimuli import Stimuli, Transform, as_images, read_images, write_images
from nni_strategies.rsa.taps import BUDGET, layer_grams
from nni_strategies.rsa.teacher import write_teacher

Array = npt.NDArray[np.float64]

LATE = "late"


def keep_stimuli(source: Path | str | npt.NDArray[Any], folder: Path, transform: Transform | None = None) -> Stimuli:
    """Write stimuli beside a teacher, as one file that its trials read.

    Parameters
    ----------
    source
        A ``.npz``, ``.npy`` or folder of images, or bytes ``[n, height, width, channels]``.
    folder
        Created when missing.
    transform
        Pixels to what candidates take; division by 255 when None.
    """
    images = as_images(source) if isinstance(source, np.ndarray) else read_images(source)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.absolute() / "stimuli.npz"
    return Stimuli(str(path), write_images(images, path), transform if transform is not None else Transform())


def network_teacher(
    model: nn.Module | str,
    stimuli: Stimuli,
    folder: Path,
    *,
    weights: Path | str | None = None,
    layers: str | Sequence[str] = LATE,
    method: str = "cka",
    group: Sequence[Any] | None = None,
    own: Transform | None = None,
    budget: int = BUDGET,
) -> Path:
    """Build a teacher from a network; return its JSON file.

    Parameters
    ----------
    model
        A module, or ``module:factory`` that returns one.
    stimuli
        From :func:`keep_stimuli`.
    folder
        Where both files go.
    weights
        A state dictionary, alone or under ``state_dict``; loaded with ``weights_only=True``, never as a pickle.
    layers
        ``late`` (the last spatial size and what follows, which ranked best), ``auto``, ``all``, names or an expression.
    method, group
        See :class:`~nni_strategies.rsa.teacher.TeacherSpec`.
    own
        Pixels to what the teacher takes, where that differs from the candidates'.

    Raises
    ------
    InvalidArgument
        A factory, weights or layers that are not found, or a layer that says nothing about the stimuli.
    """
    source = model if isinstance(model, str) else type(model).__name__
    model = load_network(model) if isinstance(model, str) else model
    if weights is not None:
        load_weights(model, weights)
    transform = own if own is not None else stimuli.transform
    images = transform(stimuli.pixels())
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    policy = "auto" if layers == LATE else layers
    try:
        found = discover_layers(model, images[:2].to(device), policy)
        chosen = late_layers(found) if layers == LATE else found
        made = layer_grams(model, images, chosen, budget=budget)
    except RuntimeError as error:
        shape = list(images.shape[1:])
        raise InvalidArgument("stimuli", shape, f"of a shape that the teacher takes ({error})") from None
    return _write(made.grams, stimuli, folder, method, group, f"network {source}, weights {weights or 'as it came'}")


def activation_teacher(
    activations: Mapping[str, npt.NDArray[Any]] | Path | str,
    stimuli: Stimuli,
    folder: Path,
    *,
    method: str = "cka",
    group: Sequence[Any] | None = None,
) -> Path:
    """Build a teacher from recorded activations: of neurons, voxels, or a network of any kind.

    Parameters
    ----------
    activations
        By layer or area, ``[n_stimuli, n_units]`` or, repeated, ``[n_repetitions, n_stimuli, n_units]``, NaN where
        nothing was recorded; or a ``.npz`` with these. Repetitions are averaged; two or more give a noise ceiling.

    Raises
    ------
    InvalidArgument
        A file that cannot be read, shapes that do not fit the stimuli, a unit without any recording.
    """
    source = "activations"
    if isinstance(activations, (str, Path)):
        source = f"activations of {Path(activations).name}"
        try:
            with np.load(activations, allow_pickle=False) as file:
                activations = {name: file[name] for name in file}
        except (OSError, ValueError) as error:
            raise InvalidArgument("activations", str(activations), f"a readable .npz ({error})") from None
    n = len(stimuli.pixels())
    sums: dict[str, Gram] = {}
    ceilings: dict[str, tuple[float, float]] = {}
    for name, values in activations.items():
        values = np.asarray(values)
        if values.dtype.kind not in "fiu" or values.ndim not in (2, 3) or values.shape[-2] != n:
            allowed = f"numbers of shape [{n}, n_units] or [n_repetitions, {n}, n_units]"
            raise InvalidArgument(f"activations {name}", [str(values.dtype), *values.shape], allowed)
        repeated = values.reshape(-1, n, values.shape[-1]).astype(np.float64)
        sums[name] = _averaged(gram(mean_response(repeated, name)), group)
        if len(repeated) > 1:
            halves = [
                correlation_rdm(_averaged(gram(mean_response(repeated[i::2], name)), group)) for i in (0, 1)
            ]
            reached = split_half_ceiling(halves[0], halves[1], "pearson")
            ceilings[name] = (reached, reached)
    return _write(sums, stimuli, folder, method, group, source, ceilings, averaged=True)


def rdm_teacher(
    path: Path | str,
    stimuli: Stimuli,
    folder: Path,
    *,
    select: Sequence[str] | None = None,
    pool: str = "none",
    subjects: str | None = None,
    method: str = "pearson",
    group: Sequence[Any] | None = None,
) -> Path:
    """Build a teacher from a file of RDMs (see :func:`~nni_strategies.rsa.rdm_files.read_rdms`).

    Parameters
    ----------
    subjects
        An entry of the file with an RDM a subject: the noise ceiling comes from them.

    Raises
    ------
    InvalidArgument
        RDMs of other than the stimuli, or what :func:`read_rdms` refuses.
    """
    rdms = read_rdms(path, select, pool)
    ceilings = {}
    if subjects is not None:
        each = np.stack(list(read_rdms(path, [subjects]).values()))
        bounds = noise_ceiling(each, method)
        ceilings = dict.fromkeys(rdms, bounds)
    return write_teacher(
        folder,
        _fitting(np.stack(list(rdms.values())), stimuli, group),
        list(rdms),
        stimuli,
        method=method,
        group=group,
        ceilings=ceilings or None,
        source=f"RDMs of {Path(path).name}",
    )


def mean_response(repeated: Array, name: str = "activations") -> Array:
    """Average repetitions ``[n_repetitions, n_stimuli, n_units]``, NaN aside; what is missing is the unit's mean.

    Raises
    ------
    InvalidArgument
        A unit that was never recorded.
    """
    known = np.isfinite(repeated)
    counts = known.sum(axis=0)
    if (counts.sum(axis=0) == 0).any():
        unit = int(np.flatnonzero(counts.sum(axis=0) == 0)[0])
        raise InvalidArgument(f"activations {name}", f"unit {unit}", "units with at least one finite number")
    totals = np.where(known, repeated, 0.0).sum(axis=0)
    means = totals / np.maximum(counts, 1)
    of_units = totals.sum(axis=0) / counts.sum(axis=0)
    return np.asarray(np.where(counts > 0, means, of_units))


def _write(
    sums: Mapping[str, Gram],
    stimuli: Stimuli,
    folder: Path,
    method: str,
    group: Sequence[Any] | None,
    source: str,
    ceilings: Mapping[str, tuple[float, float]] | None = None,
    averaged: bool = False,
) -> Path:
    made = {name: s if averaged else _averaged(s, group) for name, s in sums.items()}
    rdms = {name: correlation_rdm(s) for name, s in made.items()}
    for name, rdm in rdms.items():
        if not is_informative(rdm, dead_rows(made[name])):
            raise InvalidArgument("layers", name, "layers that respond differently to different stimuli")
    return write_teacher(
        folder,
        _fitting(np.stack(list(rdms.values())), stimuli, group),
        list(rdms),
        stimuli,
        method=method,
        grams=np.stack([gram_signature(s, "cka") for s in made.values()]),
        group=group,
        ceilings=ceilings or None,
        source=source,
    )


def _averaged(sums: Gram, group: Sequence[Any] | None) -> Gram:
    return sums if group is None else sums.averaged(np.asarray(group))


def _fitting(rdms: Array, stimuli: Stimuli, group: Sequence[Any] | None) -> Array:
    shown = len(stimuli.pixels())
    if group is not None and len(group) != shown:
        raise InvalidArgument("group", len(group), f"an entry for each of {shown} stimuli")
    n = shown if group is None else len(set(group))
    if rdms.shape[1] != n * (n - 1) // 2:
        pairs = rdms.shape[1]
        raise InvalidArgument("stimuli", n, f"as many as the RDM has, which has {pairs} pairs (n (n - 1) / 2)")
    return rdms
