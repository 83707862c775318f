"""``nni_strategies teacher build|inspect|compare|ceiling``: teachers for the RSA wing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

_MANY = 6  # layers whose names fit side by side
_METHOD = "cka (networks and activations only), pearson, spearman, rho-a or cosine."
_GROUP = "What each image shows, to average over: a file (.npy, or an id a line) or a key of the stimuli's .npz."
_LABELS = "The images' classes, as --group: for signals that a teacher is compared with (CE, TG_onehot)."
_SUBJECTS = "LAYER=ENTRY: the entry with an RDM a subject, for the layer's noise ceiling (repeat)."
_SESSIONS = "RDMs of each subject, averaged first, where they follow each other without an axis for it."


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(no_args_is_help=True, help="Build and look at teachers for teacher-guided evaluation.")

    @group.command("build")
    def _build(
        folder: Path = typer.Argument(..., help="Where teacher.json, teacher.npz and stimuli.npz go."),  # noqa: B008
        stimuli: str = typer.Option(..., help="Images: .npz (key images), .npy, a folder, or DATASET:split[:n]."),
        datasets: Path = typer.Option(None, help="Where torchvision's data sets are; the data folder."),  # noqa: B008
        network: str = typer.Option(None, help="A teacher network: module:factory."),
        weights: Path = typer.Option(None, help="Its state dictionary, loaded with weights_only=True."),  # noqa: B008
        layers: list[str] = typer.Option(None, help="late, auto, all, an expression, or names (repeat)."),  # noqa: B008
        rdm: Path = typer.Option(None, help="RDMs: .npz .npy .csv .tsv .mat, or HDF5 of rsatoolbox."),  # noqa: B008
        select: list[str] = typer.Option(None, help="ENTRY of the RDM file, or LAYER=ENTRY (repeat)."),  # noqa: B008
        pool: str = typer.Option(None, help="mean averages the RDMs of an entry; none keeps each."),
        subjects: list[str] = typer.Option(None, help=_SUBJECTS),  # noqa: B008
        sessions: int = typer.Option(None, help=_SESSIONS),
        activations: Path = typer.Option(None, help="Activations by layer: .npz or HDF5."),  # noqa: B008
        method: str = typer.Option(None, help=_METHOD),
        group: str = typer.Option(None, help=_GROUP),
        size: int = typer.Option(None, help="Resize stimuli to this height and width."),
        gray: bool = typer.Option(False, help="Average colour away."),
        mean: list[float] = typer.Option([0.0], help="Of each channel, pixels in 0 to 1 (repeat)."),  # noqa: B008
        std: list[float] = typer.Option([1.0], help="Of each channel (repeat)."),  # noqa: B008
        own_size: int | None = typer.Option(None, help="Size for the teacher network, where candidates take another."),
        own_mean: list[float] | None = typer.Option(None, help="Mean for the teacher network, likewise (repeat)."),  # noqa: B008
        own_std: list[float] | None = typer.Option(None, help="Deviation for the teacher network (repeat)."),  # noqa: B008
        labels: str = typer.Option(None, help=_LABELS),
    ) -> None:
        """Build a teacher from one of: a network, a file of RDMs, a file of activations."""
        from nni_strategies.rsa import build_teacher
        from nni_strategies.rsa.stimuli import Transform

        if network is not None:
            sys.path.insert(0, str(Path.cwd()))  # a factory of the user's own, as with `python -m`
        options: dict[str, Any] = {
            "datasets": datasets,
            "weights": weights,
            "layers": layers[0] if layers and len(layers) == 1 else layers,
            "select": _named(select, "select"),
            "pool": pool,
            "subjects": subjects[0] if subjects and "=" not in subjects[0] else _named(subjects, "subjects"),
            "sessions": sessions,
            "method": method,
            "labels": labels,
        }
        transform = Transform(size, gray, tuple(mean), tuple(std))
        if own_size is not None or own_mean or own_std:
            own_scale = tuple(own_mean or mean), tuple(own_std or std)
            options["own"] = Transform(own_size if own_size is not None else size, gray, *own_scale)
        path = build_teacher(
            stimuli,
            folder,
            network=network,
            rdm=rdm,
            activations=activations,
            transform=transform,
            group=group,
            **{name: value for name, value in options.items() if value not in (None, [], {})},
        )
        _show(path)

    @group.command("inspect")
    def _inspect(
        teacher: Path = typer.Argument(..., help="Its JSON file."),  # noqa: B008
    ) -> None:
        """Say what a teacher is, and how alike its layers are."""
        _show(teacher)

    @group.command("compare")
    def _compare(
        first: Path = typer.Argument(..., help="A teacher's JSON file."),  # noqa: B008
        second: Path = typer.Argument(..., help="Another one of the same stimuli."),  # noqa: B008
        method: str = typer.Option("pearson", help="pearson, spearman, rho-a or cosine."),
    ) -> None:
        """Show the similarity of each layer's RDM to each of another teacher's."""
        from nni_strategies.errors import InvalidArgument
        from nni_strategies.rsa.similarity import compare
        from nni_strategies.rsa.teacher import load_teacher

        one, other = load_teacher(first), load_teacher(second)
        if one.spec.stimuli.sha256 != other.spec.stimuli.sha256:
            raise InvalidArgument("second", str(second), f"a teacher of the stimuli of {first}, in their order")
        _matrix(one.spec.layers, other.spec.layers, compare(one.rdms, other.rdms, method), method)
        for spec in (one.spec, other.spec):
            _ceilings(spec)

    @group.command("ceiling")
    def _ceiling(
        rdms: Path = typer.Argument(..., help="A file with an RDM a subject, or one a session."),  # noqa: B008
        entry: str = typer.Option(None, help="Which entry of the file; its only one when left out."),
        sessions: int = typer.Option(1, help=_SESSIONS),
        method: str = typer.Option("spearman", help="pearson, spearman, rho-a or cosine."),
    ) -> None:
        """Show the noise ceiling of several subjects' RDMs; the sessions of a subject are averaged first."""
        from nni_strategies.rsa.ceiling import noise_ceiling
        from nni_strategies.rsa.rdm_files import read_subjects

        found = read_subjects(rdms, entry, sessions)
        lower, upper = noise_ceiling(found, method)
        typer.echo(f"{len(found)} subjects, {method}: lower {lower:.4f}, upper {upper:.4f}")

    app.add_typer(group, name="teacher")


def _named(given: list[str] | None, option: str) -> dict[str, str]:
    """Read NAME=ENTRY, or ENTRY alone, whose name it is then too."""
    from nni_strategies.errors import InvalidArgument

    named: dict[str, str] = {}
    for text in given or ():
        name, _, entry = text.partition("=")
        if not name or name in named:
            raise InvalidArgument(option, text, "LAYER=ENTRY with a name that no other has")
        named[name] = entry or name
    return named


def _show(path: Path) -> None:
    from nni_strategies.rsa.score import TeacherScorer
    from nni_strategies.rsa.teacher import load_teacher

    teacher = load_teacher(path)
    TeacherScorer(teacher)  # the stimuli are still those the teacher saw, and as many
    spec = teacher.spec
    shown = f"{teacher.n} stimuli" if spec.group is None else f"{len(spec.group)} stimuli in {teacher.n} groups"
    typer.echo(f"{path}: {spec.source}; {shown}, compared by {spec.method}")
    _ceilings(spec)
    _matrix(spec.layers, spec.layers, teacher.signatures @ teacher.signatures.T, spec.method)


def _ceilings(spec: Any) -> None:
    for name, (lower, upper) in (spec.ceilings or {}).items():
        typer.echo(f"noise ceiling of {name}: {lower:.3f} to {upper:.3f} ({spec.method})")


def _matrix(rows: tuple[str, ...], columns: tuple[str, ...], values: Any, title: str) -> None:
    """Print similarities, never cut; columns whose names are long are numbered as the rows are."""
    numbers = [str(i) for i in range(1, len(columns) + 1)]
    numbered = rows == columns and len(columns) > _MANY
    heads = numbers if numbered else list(columns)
    names = [f"{number:>2} {name}" for number, name in zip(numbers, rows, strict=True)] if numbered else list(rows)
    left, widths = max(map(len, names)), [max(len(head), 5) for head in heads]
    typer.echo(f"similarity ({title})")
    typer.echo("  ".join([" " * left, *(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True))]))
    for name, row in zip(names, values, strict=True):
        typer.echo("  ".join([f"{name:<{left}}", *(f"{x:{width}.3f}" for x, width in zip(row, widths, strict=True))]))
