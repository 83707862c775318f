"""``nni_strategies teacher build|inspect|compare|ceiling``: teachers for the RSA wing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

_METHOD = "cka (networks and activations only), pearson, spearman, rho-a or cosine."


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    group = typer.Typer(no_args_is_help=True, help="Build and look at teachers for teacher-guided evaluation.")

    @group.command("build")
    def _build(
        folder: Path = typer.Argument(..., help="Where teacher.json, teacher.npz and stimuli.npz go."),  # noqa: B008
        stimuli: Path = typer.Option(..., help="Images: .npz (key images), .npy or a folder."),  # noqa: B008
        network: str = typer.Option(None, help="A teacher network: module:factory."),
        weights: Path = typer.Option(None, help="Its state dictionary, loaded with weights_only=True."),  # noqa: B008
        layers: list[str] = typer.Option(["late"], help="late, auto, all, an expression, or names (repeat)."),  # noqa: B008
        rdm: Path = typer.Option(None, help="RDMs: .npz .npy .csv .tsv .mat, or HDF5 of rsatoolbox."),  # noqa: B008
        select: list[str] = typer.Option(None, help="Which entries of the RDM file (repeat)."),  # noqa: B008
        pool: str = typer.Option("none", help="mean averages the RDMs of an entry; none keeps each."),
        subjects: str = typer.Option(None, help="The entry with an RDM a subject, for the noise ceiling."),
        activations: Path = typer.Option(None, help="Activations by layer: .npz."),  # noqa: B008
        method: str = typer.Option(None, help=_METHOD),
        size: int = typer.Option(None, help="Resize stimuli to this height and width."),
        gray: bool = typer.Option(False, help="Average colour away."),
        mean: list[float] = typer.Option([0.0], help="Of each channel, pixels in 0 to 1 (repeat)."),  # noqa: B008
        std: list[float] = typer.Option([1.0], help="Of each channel (repeat)."),  # noqa: B008
    ) -> None:
        """Build a teacher from one of: a network, a file of RDMs, a file of activations."""
        from nni_strategies.errors import InvalidArgument
        from nni_strategies.rsa import build
        from nni_strategies.rsa.stimuli import Transform

        sources = [name for name, value in (("network", network), ("rdm", rdm), ("activations", activations)) if value]
        if len(sources) != 1:
            raise InvalidArgument("teacher", sources, "one of --network, --rdm and --activations")
        kept = build.keep_stimuli(stimuli, folder, Transform(size, gray, tuple(mean), tuple(std)))
        chosen: dict[str, Any] = {} if method is None else {"method": method}
        if network:
            sys.path.insert(0, str(Path.cwd()))  # a factory of the user's own, as with `python -m`
            policy: Any = layers[0] if len(layers) == 1 else layers
            path = build.network_teacher(network, kept, folder, weights=weights, layers=policy, **chosen)
        elif rdm:
            options = {"select": select or None, "pool": pool, "subjects": subjects, **chosen}
            path = build.rdm_teacher(rdm, kept, folder, **options)
        else:
            path = build.activation_teacher(activations, kept, folder, **chosen)
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
        from nni_strategies.rsa.similarity import compare
        from nni_strategies.rsa.teacher import load_teacher

        one, other = load_teacher(first), load_teacher(second)
        _matrix(one.spec.layers, other.spec.layers, compare(one.rdms, other.rdms, method), method)

    @group.command("ceiling")
    def _ceiling(
        rdms: Path = typer.Argument(..., help="A file with an RDM a subject."),  # noqa: B008
        entry: str = typer.Option(None, help="Which entry of the file; its only one when left out."),
        method: str = typer.Option("spearman", help="pearson, spearman, rho-a or cosine."),
    ) -> None:
        """Show the noise ceiling of several subjects' RDMs."""
        import numpy as np

        from nni_strategies.rsa.ceiling import noise_ceiling
        from nni_strategies.rsa.rdm_files import read_rdms

        found = read_rdms(rdms, [entry] if entry else None)
        lower, upper = noise_ceiling(np.stack(list(found.values())), method)
        typer.echo(f"{len(found)} RDMs, {method}: lower {lower:.4f}, upper {upper:.4f}")

    app.add_typer(group, name="teacher")


def _show(path: Path) -> None:
    from nni_strategies.rsa.teacher import load_teacher

    teacher = load_teacher(path)
    spec = teacher.spec
    shown = f"{teacher.n} stimuli" if spec.group is None else f"{len(spec.group)} stimuli in {teacher.n} groups"
    typer.echo(f"{path}: {spec.source}; {shown}, compared by {spec.method}")
    for name, (lower, upper) in (spec.ceilings or {}).items():
        typer.echo(f"  noise ceiling of {name}: {lower:.3f} to {upper:.3f}")
    _matrix(spec.layers, spec.layers, teacher.signatures @ teacher.signatures.T, spec.method)


def _matrix(rows: Any, columns: Any, values: Any, title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"similarity ({title})")
    table.add_column("")
    for name in columns:
        table.add_column(name, justify="right")
    for name, row in zip(rows, values, strict=True):
        table.add_row(name, *(f"{value:.3f}" for value in row))
    Console().print(table)
