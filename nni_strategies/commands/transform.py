"""``nni_strategies transform``: an architecture as NNI exports it in, one that costs no more and scores no less out."""

from __future__ import annotations

import importlib
import json
import keyword
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from nni_strategies.nat.genotypes import Architecture, DartsGenotype
    from nni_strategies.nat.transform import TransformResult

_SPACE = "module:name of a model space's class, or of what makes a search space."
_ARCH = "The architecture: JSON as NNI exports it, a best.json, or genotypes of DARTS's kind, FILE.py:NAME."
_SCORER = "module:name of a function architecture -> number, higher is better."
_SUPERNET = "File of a trained supernet, which scores; with --batches."
_BATCHES = "module:name of a function without arguments: batches (images, labels) that the supernet is judged by."
_WIDEN = "Add an operation to a cell space of NNI's hub, such as none."
_POLICY = "File of a policy that has learned on this space."
_COSTS = "For a search space: JSON file, operation -> [MAdds, parameters]."
_CLASSES = "JSON text: operation, or label:operation, -> O, S or N."


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(transform)


def transform(
    space: Annotated[str, typer.Option(help=_SPACE)],
    arch: Annotated[Path, typer.Option(help=_ARCH)],
    out: Annotated[Path, typer.Option(help="Where the transformed one goes: JSON; of a genotype to *.py as one.")],
    space_kwargs: Annotated[str, typer.Option(help="What the space is built with: JSON text.")] = "{}",
    widen: Annotated[str | None, typer.Option(help=_WIDEN)] = None,
    scorer: Annotated[str | None, typer.Option(help=_SCORER)] = None,
    supernet: Annotated[Path | None, typer.Option(help=_SUPERNET)] = None,
    batches: Annotated[str | None, typer.Option(help=_BATCHES)] = None,
    device: Annotated[str, typer.Option(help="Of the supernet: cpu, cuda, …")] = "cpu",
    policy: Annotated[Path | None, typer.Option(help=_POLICY)] = None,
    save_policy: Annotated[Path | None, typer.Option(help="Where the policy goes that learned.")] = None,
    rule: Annotated[str, typer.Option(help="cost, nat++ or nat.")] = "cost",
    cost_rule: Annotated[str, typer.Option(help="strict or paper.")] = "strict",
    cost_mode: Annotated[str, typer.Option(help="nominal, or live: what reaches a cell's output, too.")] = "nominal",
    queries: Annotated[int, typer.Option(help="Scores that are learned from; 0 with --policy.")] = 100,
    k: Annotated[int, typer.Option(help="Outputs that are scored in the end.")] = 10,
    seed: Annotated[int, typer.Option(help="Of everything drawn.")] = 0,
    input_shape: Annotated[str, typer.Option(help="Of one input of the network.")] = "3,32,32",
    costs: Annotated[Path | None, typer.Option(help=_COSTS)] = None,
    op_classes: Annotated[str, typer.Option(help=_CLASSES)] = "{}",
    result: Annotated[Path | None, typer.Option(help="Where costs, scores and changed edges go, as JSON.")] = None,
    report: Annotated[Path | None, typer.Option(help="Where a page goes: before and after, drawn.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
) -> None:
    """Transform an architecture into one that costs no more and, as far as the scorer can tell, is no worse."""
    from nni_strategies.errors import InvalidArgument, NNIStrategiesError
    from nni_strategies.nat import policy_file
    from nni_strategies.nat.genotypes import DartsGenotype
    from nni_strategies.nat.input_files import read_architecture
    from nni_strategies.nat.transform import transform as transformed
    from nni_strategies.report.best import write_atomically
    from nni_strategies.report.transform_page import transform_page
    from nni_strategies.supernet.checkpoint import refuse_unwritable

    sys.path.insert(0, str(Path.cwd()))  # for names of the user's own, as with `python -m`
    outputs = _outputs(
        {"--out": out, "--result": result, "--save-policy": save_policy, "--report": report}, force
    )
    if (scorer is None) == (supernet is None):
        raise InvalidArgument("--scorer", scorer, "given, or --supernet, but not both")
    given = read_architecture(str(arch), "--arch")
    if _is_python(out) and not isinstance(given, DartsGenotype):
        raise InvalidArgument("--out", str(out), "a file of JSON: only what --arch has as a genotype is written as one")
    make, arguments = _named("--space", space), _object("--space-kwargs", space_kwargs)
    score = _named("--scorer", scorer) if scorer is not None else None
    if supernet is not None:
        score = _supernet_scorer(supernet, _space(make, arguments, widen), batches, device)
    rules: Any = {"rule": rule, "cost_rule": cost_rule, "cost_mode": cost_mode}
    rules |= {"op_classes": _object("--op-classes", op_classes), "input_shape": _shape(input_shape)}
    rules["costs"] = None if costs is None else _object("--costs", _text("--costs", costs))
    made = _space(make, arguments, widen)
    for option, path in outputs.items():
        refuse_unwritable(path, option)
    found = transformed(given, made, score, policy=policy, queries=queries, k=k, seed=seed, **rules)
    try:
        write_atomically(out, _written(found, given, out))
        if result is not None:
            write_atomically(result, found.to_json() + "\n")
        if report is not None:
            write_atomically(report, transform_page(json.loads(found.to_json()), f"{arch.name} transformed"))
        if save_policy is not None and found.learned is not None:
            policy_file.save(save_policy, found.learned)
    except OSError as error:
        raise NNIStrategiesError(f"not all could be written: {error}") from error
    _show(found)
    if save_policy is not None and found.learned is None:
        typer.echo(f"No policy learned, so none is in {save_policy}.")
    typer.echo(out.resolve())


def _outputs(paths: dict[str, Path | None], force: bool) -> dict[str, Path]:
    """Return where something goes, by option, if nothing is lost by it."""
    from nni_strategies.errors import InvalidArgument

    given = {option: path for option, path in paths.items() if path is not None}
    for option, path in given.items():
        if path.exists() and not force:
            raise InvalidArgument(option, str(path), "a file that is not there yet, or --force")
    resolved = [path.resolve() for path in given.values()]
    for place, (option, path) in enumerate(given.items()):
        if resolved[place] in resolved[:place]:
            raise InvalidArgument(option, str(path), "a file of its own; another option has this one")
    return given


def _is_python(path: Path) -> bool:
    return path.suffix.lower() == ".py"


def _written(found: TransformResult, given: Architecture, out: Path) -> str:
    """Return the text of the output: JSON, or a genotype, which only what came as one becomes."""
    if _is_python(out):
        name = re.sub(r"\W|^(?=\d)", "_", out.stem)
        return cast("DartsGenotype", given).text(f"{name}_" if keyword.iskeyword(name) else name, found.after)
    return json.dumps(found.after, indent=1) + "\n"


def _text(option: str, path: Path) -> str:
    from nni_strategies.errors import InvalidArgument

    try:
        return path.read_text()
    except (OSError, ValueError) as error:
        raise InvalidArgument(option, str(path), f"a readable file ({error})") from None


def _object(option: str, text: str) -> dict[str, Any]:
    from nni_strategies.errors import InvalidArgument

    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidArgument(option, text, f"a JSON object ({error})") from None
    if not isinstance(found, dict):
        raise InvalidArgument(option, found, "a JSON object")
    return found


def _shape(text: str) -> list[int]:
    from nni_strategies.errors import InvalidArgument

    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise InvalidArgument("--input-shape", text, "positive whole numbers, such as 3,32,32")
    return [int(part) for part in parts]


def _named(option: str, path: str) -> Any:
    """Return what ``module:name`` names."""
    from nni_strategies.errors import InvalidArgument

    module, _, name = path.partition(":")
    if not module or not name:
        raise InvalidArgument(option, path, "module:name")
    importlib.import_module("nni_strategies.bridge.torchvision_first")  # nni.nas imports torchvision
    try:
        namespace = importlib.import_module(module)
    except Exception as error:  # the user's code
        raise InvalidArgument(option, path, f"in a module that can be imported ({error!r})") from None
    if not callable(getattr(namespace, name, None)) and not hasattr(getattr(namespace, name, None), "__getitem__"):
        raise InvalidArgument(option, name, f"a function or class of {module}", dir(namespace))
    return getattr(namespace, name)


def _space(make: Any, arguments: dict[str, Any], widen: str | None) -> Any:
    from nni_strategies.errors import InvalidArgument

    try:
        made = make(**arguments)
    except Exception as error:  # the user's code
        raise InvalidArgument("--space-kwargs", arguments, f"what the space is built with ({error!r})") from error
    if widen is None:
        return made
    from nni_strategies.nat.model_space.widen import widened

    return widened(made, widen)


def _supernet_scorer(path: Path, space: Any, batches: str | None, device: str) -> Any:
    from nni_strategies.errors import InvalidArgument, NNIStrategiesError
    from nni_strategies.supernet import checkpoint
    from nni_strategies.supernet.network import Supernet
    from nni_strategies.supernet.scorer import Scorer

    if batches is None:
        raise InvalidArgument("--batches", None, "given with --supernet: what it is judged by")
    make = _named("--batches", batches)
    supernet = Supernet(space)
    checkpoint.load(path, supernet)
    try:
        supernet.to(device)
    except (RuntimeError, AssertionError) as error:  # PyTorch's, for no such device and one that is not there
        raise InvalidArgument("--device", device, f"a device of this machine ({error})") from None
    try:
        return Scorer(supernet, make())
    except NNIStrategiesError:
        raise
    except Exception as error:  # the user's code
        raise InvalidArgument("--batches", batches, f"a function of batches (images, labels) ({error!r})") from error


def _show(found: TransformResult) -> None:
    """Print what it costs and what was changed."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    costs = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "before", "after", "change"):
        costs.add_column(column, justify="left" if not column else "right")
    rows = [("multiply-adds", found.cost_before.madds, found.cost_after.madds)]
    if (found.live_before, found.live_after) != (found.cost_before, found.cost_after):
        rows.append(("of what reaches an output", found.live_before.madds, found.live_after.madds))
    rows.append(("parameters", found.cost_before.params, found.cost_after.params))
    for name, before, after in rows:
        costs.add_row(name, f"{before:,}", f"{after:,}", f"{100 * (after / before - 1):+.1f} %" if before else "")
    scores = found.score_before, found.score_after
    costs.add_row("score", *("" if score is None else f"{score:.4f}" for score in scores))
    console.print(costs)
    if found.changed:
        changed = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("cell", "edge", "before", "after"):
            changed.add_column(column, overflow="fold")
        for change in found.changed:
            changed.add_row(change.cell, f"{change.source} -> {change.node}", str(change.before), str(change.after))
        console.print(changed)
    told = f"{len(found.changed)} edges changed" if found.changed else "Nothing better found: the output is the input"
    console.print(f"{told}; {found.evaluations} architectures scored.")
    if found.dead:
        console.print(f"Dead: {', '.join(found.dead)}. No path to the cell's output leads through there.")
    if found.outlook and found.outlook[-1] == 0:
        console.print("At the end nothing was worth a query any more: fewer would have done.")
    if found.unspent:
        console.print(f"{found.unspent} queries were not spent: the learner found nothing new to propose.")
