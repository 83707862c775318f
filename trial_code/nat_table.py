"""What a NAT experiment measured, as JSON and Markdown: both networks, their costs, every training of each."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nni_strategies.errors import DataMissing, InvalidArgument
from nni_strategies.report.best import write_atomically
from nni_strategies.report.transform_page import transform_page

NETWORKS = ("original", "transformed")
_FEW_STEPS = 500  # of a retraining
_CUT = ("seed", "--seed")  # of a recipe: what trainings of one table may differ in


def read(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file.

    Raises
    ------
    DataMissing
        There is none.
    InvalidArgument
        It is no JSON object.
    """
    if not path.is_file():
        raise DataMissing(f"there is no {path}: the step that writes it comes first")
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise InvalidArgument("file", str(path), f"a whole JSON file ({error})") from None
    if not isinstance(found, dict):
        raise InvalidArgument("file", str(path), "a JSON object")
    return found


def write(title: str, folder: Path, sized: bool = True) -> str:
    """Write ``table.json``, ``table.md`` and ``table.html``, with drawings, of a folder; return the second.

    Parameters
    ----------
    title
        Its heading.
    folder
        Where the results are.
    sized
        Whether width and number of cells are to be told.

    Raises
    ------
    DataMissing
        Nothing was transformed, or no network retrained.
    InvalidArgument
        Networks were retrained by different recipes.
    """
    transformed = read(folder / "transform.json")
    rows = [read(path) for network in NETWORKS for path in sorted(folder.glob(f"{network}-*.json"))]
    if {row["network"] for row in rows} != {*NETWORKS}:
        raise DataMissing(f"both networks are to be retrained first: {folder} has {len(rows)} trainings")
    _refuse_unlike(rows)
    text = "\n".join([f"# {title}", "", *_lines(transformed, rows, sized)])
    whole = {"title": title, "transform": transformed, "trainings": rows}
    write_atomically(folder / "table.json", json.dumps(whole, indent=1) + "\n")
    write_atomically(folder / "table.md", text + "\n")
    scored = [_shown(transformed[f"check_{when}"]) for when in ("before", "after")]
    alone = [", ".join(f"{100 * value:.2f}" for value in _reached(rows, network)) for network in NETWORKS]
    more = [("score on images that chose nothing", *scored), ("test accuracy alone (%)", *alone)]
    write_atomically(folder / "table.html", transform_page(transformed, title, more))
    print(text)
    return text


def _refuse_unlike(rows: Sequence[dict[str, Any]]) -> None:
    recipes = [{name: value for name, value in row["recipe"].items() if name not in _CUT} for row in rows]
    for row, recipe in zip(rows, recipes, strict=True):
        for name, value in recipe.items():
            if value != recipes[0][name]:
                allowed = f"{name} as of {rows[0]['network']}-{rows[0]['seed']}, {recipes[0][name]}"
                raise InvalidArgument(f"{row['network']}-{row['seed']}", value, allowed)


def _lines(transformed: dict[str, Any], rows: Sequence[dict[str, Any]], sized: bool) -> list[str]:
    before, after = transformed["before"], transformed["after"]
    how, supernet, recipe = transformed["transform"], transformed["supernet"], rows[0]["recipe"]
    scores = {
        "original": (transformed["score_before"], transformed["check_before"]),
        "transformed": (transformed["score_after"], transformed["check_after"]),
    }
    reached = {network: _reached(rows, network) for network in NETWORKS}
    lines = [
        "| network | parameters | MAdds (M) | score | on images that chose nothing | test accuracy (%) | mean | sd |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for network in NETWORKS:
        first = next(row for row in rows if row["network"] == network)
        each = ", ".join(f"{100 * value:.2f}" for value in reached[network])
        mean = f"{100 * statistics.mean(reached[network]):.2f}"
        sd = f"{100 * statistics.stdev(reached[network]):.2f}" if len(reached[network]) > 1 else ""
        score, check = scores[network]
        lines.append(
            f"| {network} | {first['params']:,} | {first['madds'] / 1e6:.2f} | {_shown(score)} | {check:.4f} "
            f"| {each} | {mean} | {sd} |"
        )
    difference = 100 * (statistics.mean(reached["transformed"]) - statistics.mean(reached["original"]))
    changed = [f"`{c['label']}` {c['before']} -> {c['after']}" for c in transformed["changed"]]
    return [
        *lines,
        "",
        f"Difference of the means {difference:+.2f} points.",
        "",
        f"Changed: {'; '.join(changed) if changed and before != after else 'nothing'}.",
        "",
        f"Supernet: {supernet['epochs']} epochs{_steps(supernet)}, batches of {supernet['batch_size']}"
        f"{_size(supernet['width'], supernet['cells'], sized)}; {supernet['holdout']} training images held out"
        f"{_paths(supernet)}.",
        f"NAT: rule {how['rule']}, {how['queries']} queries, k {how['k']}, {transformed['evaluations']} architectures "
        f"scored on {transformed['scoring_images']} images{_queried(transformed)}, {how['seconds']:.0f} s.",
        f"Retraining: {recipe['--epochs']} epochs, batches of {recipe['--batch-size']}"
        f"{_size(recipe['--width'], recipe['--cells'], sized)}, learning rate {recipe['--lr']}, "
        f"cutout {recipe['--cutout']}, {rows[0]['data']}, {rows[0]['device']}; "
        f"{sum(row['train_seconds'] for row in rows):.0f} s in all.",
        *([_cut(recipe["max_steps"], recipe["--epochs"])] if recipe["max_steps"] else []),
    ]


def _cut(steps: int, epochs: int) -> str:
    """Return that epochs were cut; a few hundred steps in all train nothing."""
    return f"Epochs cut to {steps} steps{': to see it work, no result' if steps * epochs < _FEW_STEPS else ''}."


def _queried(transformed: dict[str, Any]) -> str:
    return f", {transformed['queried']} of them queries" if "queried" in transformed else ""


def _steps(supernet: dict[str, Any]) -> str:
    return f" of {supernet['max_steps']} steps" if supernet.get("max_steps") else ""


def _paths(supernet: dict[str, Any]) -> str:
    """Return what a supernet learned, where that is not the whole space."""
    if supernet.get("paths") != "outputs":
        return ""
    kept = supernet.get("kept", 0)
    stays = f", {kept:.0%} of the edges kept as they are and the others drawn" if kept else ""
    return f"; what the original can become, no other paths{stays}"


def _size(width: int, cells: int, sized: bool) -> str:
    return f", width {width}, {cells} cells" if sized else ""


def _reached(rows: Sequence[dict[str, Any]], network: str) -> list[float]:
    return [row["accuracy"] for row in rows if row["network"] == network]


def _shown(score: float | None) -> str:
    return "" if score is None else f"{score:.4f}"
