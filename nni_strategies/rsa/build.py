"""Build a teacher: from a network, from RDMs measured elsewhere, or from recorded activations.

Built once, before the experiment; trials load vectors only.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from nni_strategies.errors import InvalidArgument, refuse_unknown
from nni_strategies.rsa.ceiling import noise_ceiling, of_halves
from nni_strategies.rsa.gram import gram
from nni_strategies.rsa.gram_sums import Gram
from nni_strategies.rsa.groups import read_group, read_labels
from nni_strategies.rsa.layers import discover_layers, late_layers
from nni_strategies.rsa.network import load_network, load_weights
from nni_strategies.rsa.rdm import correlation_rdm, dead_rows, is_informative
from nni_strategies.rsa.rdm_files import read_rdms, read_subjects
from nni_strategies.rsa.recordings import mean_response, read_recordings, repetitions
from nni_strategies.rsa.similarity import gram_signature
from nni_strategies.rsa.stimuli import FEWEST, Stimuli, Transform, as_images, read_images, write_images
from nni_strategies.rsa.taps import layer_grams
from nni_strategies.rsa.teacher import move_teacher, read_spec, staged, write_teacher
from nni_strategies.rsa.untouched import as_input, unwrapped

Array = npt.NDArray[np.float64]

LATE = "late"
_POSITIONAL = ("model", "path", "activations", "stimuli", "folder", "group")  # not among the options


def build_teacher(
    stimuli: Stimuli | Path | str | npt.NDArray[Any],
    folder: Path | str,
    *,
    network: nn.Module | str | None = None,
    rdm: Path | str | None = None,
    activations: Mapping[str, npt.NDArray[Any]] | Path | str | None = None,
    transform: Transform | None = None,
    group: Sequence[Any] | Path | str | None = None,
    **options: Any,
) -> Path:
    """Build a teacher from whatever there is; return its JSON file.

    Parameters
    ----------
    stimuli
        Images, see :func:`keep_stimuli`, or stimuli that were kept.
    folder
        Where the teacher's files go; created when missing. Files that are there are replaced once all is well.
    network, rdm, activations
        One of them: a module or ``module:factory``, a file of RDMs, recordings or a file of them.
    transform
        Pixels to what candidates take; stimuli that were kept have theirs.
    group
        What each stimulus shows, or where that is read, see :func:`~nni_strategies.rsa.groups.read_group`.
    options
        Those of :func:`network_teacher`, :func:`rdm_teacher` or :func:`activation_teacher`; `datasets` and `labels` of
        :func:`keep_stimuli`, labels also as where they are read, see :func:`~nni_strategies.rsa.groups.read_labels`.

    Raises
    ------
    InvalidArgument
        None or several of the sources, an option that the source does not have, or what the three functions refuse.
    """
    sources = {"network": network, "rdm": rdm, "activations": activations}
    given = [name for name, value in sources.items() if value is not None]
    if len(given) != 1:
        raise InvalidArgument("teacher", given, "one of network, rdm and activations")
    builder: Any = {"network": network_teacher, "rdm": rdm_teacher, "activations": activation_teacher}[given[0]]
    of_images = {name: options.pop(name) for name in ("datasets", "labels") if name in options}
    if isinstance(of_images.get("labels"), (str, Path)):
        of_images["labels"] = read_labels(of_images["labels"], stimuli)
    known = [name for name in inspect.signature(builder).parameters if name not in _POSITIONAL]
    refuse_unknown("option", options, known, f"of a teacher from {given[0]} one of")
    if isinstance(group, (str, Path)):
        group = read_group(group, stimuli.path if isinstance(stimuli, Stimuli) else stimuli)
    folder = Path(folder)
    with staged(folder) as new:
        kept = stimuli if isinstance(stimuli, Stimuli) else keep_stimuli(stimuli, new, transform, **of_images)
        path: Path = builder(sources[given[0]], kept, new, group=group, **options)
        return move_teacher(read_spec(path), folder)


def keep_stimuli(
    source: Path | str | npt.NDArray[Any],
    folder: Path,
    transform: Transform | None = None,
    datasets: Path | None = None,
    labels: Sequence[int] | npt.NDArray[Any] | None = None,
) -> Stimuli:
    """Write stimuli beside a teacher, as one file that its trials read.

    Parameters
    ----------
    source
        A ``.npz``, ``.npy``, folder of images or data set (see :func:`~nni_strategies.rsa.stimuli.read_images`), or
        bytes ``[n, height, width, channels]``.
    folder
        Created when missing.
    transform
        Pixels to what candidates take; division by 255 when None.
    datasets
        Where data sets are; the data folder when None.
    labels
        Classes of the images, from 0, for the signals that a teacher is compared with; they are not needed otherwise.

    Raises
    ------
    InvalidArgument
        No such images, labels that do not fit them, or a folder that cannot be written to.
    """
    images = as_images(source) if isinstance(source, np.ndarray) else read_images(source, datasets)
    path = folder.absolute() / "stimuli.npz"
    with staged(folder) as new:
        try:
            sha256 = write_images(images, new / path.name, None if labels is None else np.asarray(labels))
        except OSError as error:
            allowed = f"a folder that can be written to ({error.strerror})"
            raise InvalidArgument("folder", str(folder), allowed) from None
        os.replace(new / path.name, path)
    return Stimuli(str(path), sha256, transform if transform is not None else Transform())


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
    budget: int | None = None,
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
    network = unwrapped(load_network(model) if isinstance(model, str) else model)
    source = model if isinstance(model, str) else type(network).__name__
    if weights is not None:
        load_weights(network, weights)
    transform = own if own is not None else stimuli.transform
    images = transform(stimuli.pixels())
    _refuse_group(group, len(images))
    policy = "auto" if layers == LATE else layers
    try:
        found = discover_layers(network, as_input(network, images[:2]), policy)
        chosen = late_layers(found) if layers == LATE else found
        made = layer_grams(network, images, chosen, budget=budget)
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
        nothing was recorded; or a ``.npz`` or HDF5 file with these. Repetitions are averaged; two or more give a noise
        ceiling.

    Raises
    ------
    InvalidArgument
        A file that cannot be read, shapes that do not fit the stimuli, a unit without any recording.
    """
    source = "activations"
    if isinstance(activations, (str, Path)):
        source = f"activations of {Path(activations).name}"
        activations = read_recordings(activations)
    n = len(stimuli.pixels())
    _refuse_group(group, n)
    sums: dict[str, Gram] = {}
    ceilings: dict[str, tuple[float, float]] = {}
    for name, values in activations.items():
        repeated = repetitions(name, values, n)
        sums[name] = _averaged(gram(mean_response(repeated, name)), group)
        if len(repeated) > 1:
            halves = [_averaged(gram(mean_response(repeated[i::2], name)), group) for i in (0, 1)]
            first, second = (gram_signature(half, method) for half in halves)
            reached = of_halves(float(first @ second))
            ceilings[name] = (reached, reached)
    return _write(sums, stimuli, folder, method, group, source, ceilings, averaged=True)


def rdm_teacher(
    path: Path | str,
    stimuli: Stimuli,
    folder: Path,
    *,
    select: Sequence[str] | Mapping[str, str] | None = None,
    pool: str = "none",
    subjects: str | Mapping[str, str] | None = None,
    sessions: int = 1,
    method: str = "pearson",
    group: Sequence[Any] | None = None,
) -> Path:
    """Build a teacher from a file of RDMs.

    Parameters
    ----------
    select, pool
        See :func:`~nni_strategies.rsa.rdm_files.read_rdms`; RDMs of conditions are in the order of their first stimuli.
    subjects
        By layer, the entry of the file with an RDM a subject, from which the layer's noise ceiling comes; the entry
        alone where there is one layer.
    sessions
        See :func:`~nni_strategies.rsa.rdm_files.read_subjects`.

    Raises
    ------
    InvalidArgument
        RDMs of other than the stimuli, subjects of no layer, or what :func:`read_rdms` refuses.
    """
    rdms = read_rdms(path, select, pool)
    vectors = _fitting(np.stack(list(rdms.values())), stimuli, group)
    if isinstance(subjects, str):
        if len(rdms) > 1:
            raise InvalidArgument("subjects", subjects, f"LAYER=ENTRY, the layer being one of {list(rdms)}")
        subjects = dict.fromkeys(rdms, subjects)
    ceilings: dict[str, tuple[float, float]] = {}
    refuse_unknown("subjects", subjects or (), rdms, "layers")
    for layer, entry in (subjects or {}).items():
        each = read_subjects(path, entry, sessions)
        if each.shape[1] != vectors.shape[1]:
            allowed = f"RDMs of as many pairs as the layer's, {vectors.shape[1]}, not {each.shape[1]}"
            raise InvalidArgument("subjects", entry, allowed)
        ceilings[layer] = noise_ceiling(each, method)
    return write_teacher(
        folder,
        vectors,
        list(rdms),
        stimuli,
        method=method,
        group=group,
        ceilings=ceilings or None,
        source=f"RDMs of {Path(path).name}",
    )


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
    _refuse_group(group, shown)
    n = shown if group is None else len(set(group))
    if rdms.shape[1] != n * (n - 1) // 2:
        pairs = rdms.shape[1]
        raise InvalidArgument("stimuli", n, f"as many as the RDM has, which has {pairs} pairs (n (n - 1) / 2)")
    return rdms


def _refuse_group(group: Sequence[Any] | None, n: int) -> None:
    if group is not None and len(group) != n:
        raise InvalidArgument("group", len(group), f"an entry for each of {n} stimuli")
    if group is not None and len(set(group)) < FEWEST:
        raise InvalidArgument("group", sorted(set(group)), f"at least {FEWEST} different entries")
