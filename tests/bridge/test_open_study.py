"""Opening a study: its seed, and a journal that is let go where the search is refused."""

from __future__ import annotations

import pytest

import nni_strategies.bridge.open_study as module
from nni_strategies.bridge.open_study import count_runs, open_study
from nni_strategies.errors import JournalBusy, JournalMismatch
from nni_strategies.search.baselines import RandomSearch
from nni_strategies.search.journal import Journal
from nni_strategies.space.from_json import space_from_json


def searcher(n: int = 5) -> RandomSearch:
    return RandomSearch(space_from_json({"x": {"_type": "choice", "_value": list(range(n))}}))


def test_without_a_seed_the_journal_has_it(tmp_path):
    path = tmp_path / "journal.jsonl"
    first = open_study(searcher(), path, seed=None)
    first.note("run", run=0)
    first.journal.close()
    again = open_study(searcher(), path, seed=None)
    assert (again.seed, count_runs(again)) == (first.seed, 1)
    assert open_study(searcher(), None, seed=7).seed == 7


def test_a_refused_search_lets_go_of_the_journal(tmp_path):
    path = tmp_path / "journal.jsonl"
    open_study(searcher(), path, seed=1).journal.close()
    with pytest.raises(JournalMismatch, match="seed: was 1, is 2"):
        open_study(searcher(), path, seed=2)
    with pytest.raises(JournalMismatch):
        open_study(searcher(6), path, seed=1)
    Journal(path).close()  # not busy


def test_a_journal_in_use_is_waited_for_and_then_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    holder = open_study(searcher(), tmp_path / "journal.jsonl", seed=1)
    with pytest.raises(JournalBusy, match="another process"):
        open_study(searcher(), tmp_path / "journal.jsonl", seed=1)
    holder.journal.close()
