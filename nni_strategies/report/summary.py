"""The top and the bottom of the page: the numbers one wants first, and where they come from."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from html import escape

from nni_strategies.report import html
from nni_strategies.report.figures import duration, number
from nni_strategies.report.nat import Transformations
from nni_strategies.report.records import ExperimentRecord

_LONGEST = 200  # characters of a setting, which may be a list of architectures


def head(experiment: ExperimentRecord) -> str:
    """Return the title, and what ran when."""
    facts = [f"experiment <code>{escape(experiment.id)}</code>", escape(experiment.algorithm)]
    if experiment.seed is not None:
        facts.append(f"seed {html.text(experiment.seed)}")
    if experiment.started is not None:
        facts.append(time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(experiment.started)))
    return f'<h1>{escape(experiment.name)}</h1><p class="sub">{" · ".join(facts)}</p>'


def numbers(experiment: ExperimentRecord, found: Transformations | None = None) -> str:
    """Return the numbers one wants first: best, gain over the random phase, trials, failures, duration."""
    counts = Counter(trial.status for trial in experiment.trials)
    cards: list[tuple[str, str, str]] = []
    if experiment.ranked:
        best = experiment.ranked[0]
        cards.append(("best metric", number(best.metric), f"trial {best.id}, {_direction(experiment)}"))
        cards += _gain(experiment) if found is None else _transformed(found)
    waiting = counts["running"]
    cards.append(("trials", f"{len(experiment.trials):,}", f"{waiting} running" if waiting else "none running"))
    cards.append(("failures", str(counts["failed"]), _common_failure(experiment)))
    ends = [trial.ended for trial in experiment.trials if trial.ended is not None]
    last = max([*ends, experiment.ended or 0.0]) if ends or experiment.ended else None
    spent = last - experiment.started if last and experiment.started else None
    cards.append(("duration", duration(spent), "finished" if experiment.ended else "still running"))
    shown = "".join(
        f'<div class="number{" first" if i == 0 and experiment.ranked else ""}"><div class="label">{escape(label)}'
        f'</div><div class="value">{escape(value)}</div><div class="more">{escape(more)}</div></div>'
        for i, (label, value, more) in enumerate(cards)
    )
    return f'<div class="numbers">{shown}</div>'


def _gain(experiment: ExperimentRecord) -> list[tuple[str, str, str]]:
    blind = [trial.metric for trial in experiment.finished if trial.phase == "initial" and trial.metric is not None]
    best = experiment.ranked[0].metric
    if not blind or best is None:
        return []
    median = statistics.median(blind)
    gain = best - median if experiment.maximize else median - best
    return [("gain", f"{gain:+.4g}", f"over the median of {len(blind)} random trials, {number(median)}")]


def _transformed(found: Transformations) -> list[tuple[str, str, str]]:
    gains = [one.gain for one in found.inputs if one.gain is not None]
    if not gains:
        return []
    return [("gain", f"{statistics.fmean(gains):+.4g}", f"on average over {len(gains)} transformed inputs")]


def _direction(experiment: ExperimentRecord) -> str:
    return "higher is better" if experiment.maximize else "lower is better"


def _common_failure(experiment: ExperimentRecord) -> str:
    reasons = Counter(trial.failure for trial in experiment.trials if trial.failure)
    return reasons.most_common(1)[0][0][:60] if reasons else "none"


def _setting(value: object) -> str:
    text = number(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def footer(experiment: ExperimentRecord) -> str:
    """Return the algorithm's settings and where the page's data come from."""
    source = "its journal and NNI's database" if experiment.events else "NNI's database"
    config = ", ".join(f"{key} = {_setting(value)}" for key, value in experiment.config.items() if value is not None)
    settings = f"<p>{escape(experiment.algorithm)}: <span class='mono'>{escape(config)}</span></p>" if config else ""
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    said = "Metrics are joined to configurations by parameter id, so they are right even where NNI's web UI is not."
    return f"<footer>{settings}<p>Made {made} from {source}. {said}</p></footer>"
