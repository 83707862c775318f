"""The guard around what NNI calls: under a manager nothing is raised, elsewhere everything."""

from __future__ import annotations

import logging

import pytest

from nni_strategies.bridge import guarded_tuner
from nni_strategies.bridge.dispatcher import Dispatcher
from nni_strategies.bridge.guarded_tuner import GuardedTuner, never_raises, reporter
from nni_strategies.bridge.rest import Rest
from nni_strategies.bridge.tuner import StudyTuner
from nni_strategies.errors import InvalidArgument, NNIStrategiesError
from nni_strategies.irlas.shaped_tuner import MirrorStimuliTuner


class Clumsy(GuardedTuner):
    def __init__(self, seed=0):
        super().__init__()
        with self._refusing():
            if seed is None:
                raise ZeroDivisionError("no seed")
            if seed < 0:
                raise InvalidArgument("seed", seed, "0 or more")

    @never_raises
    def trial_end(self, parameter_id, success, **kwargs):
        """Fail."""
        raise KeyError(parameter_id)


class Heard:
    """NNI's dispatcher, as far as a tuner sees it."""

    def __init__(self):
        self.errors = []

    def report_error(self, message):
        self.errors.append(message)

    def send(self, parameter_id, parameters):
        pass


@pytest.fixture
def farewells(tmp_path, monkeypatch):
    """What a manager's tuner process would find; the farewells that are said when it is gone."""
    said = []
    found = Dispatcher(tmp_path, False, Rest("http://localhost:1"), mended=True)
    monkeypatch.setattr(Dispatcher, "current", classmethod(lambda cls: found))
    monkeypatch.setattr(guarded_tuner, "watch_parent", said.append)
    return said


def test_without_a_manager_everything_is_raised():
    with pytest.raises(InvalidArgument, match="seed = -1"):
        Clumsy(seed=-1)
    made = Clumsy()
    with pytest.raises(KeyError):
        made.trial_end(3, True)
    assert not made.counts


def test_under_a_manager_failures_are_counted_and_the_first_is_logged(farewells, caplog):
    made = Clumsy()
    with caplog.at_level(logging.ERROR):
        assert [made.trial_end(number, True) for number in range(3)] == [None] * 3
    assert made.counts == {"trial_end": 3}
    assert caplog.text.count("trial_end failed (KeyError(0)); the search goes on") == 1
    assert made.trial_end.__doc__ == "Fail."
    assert farewells == [made._let_go]


def test_under_a_manager_a_refusal_is_kept(farewells, caplog):
    refusal = Clumsy(seed=-1)._refusal
    assert isinstance(refusal, InvalidArgument)
    assert not caplog.text
    refusal = Clumsy(seed=None)._refusal
    assert type(refusal) is NNIStrategiesError and "no seed" in str(refusal)
    assert "Clumsy cannot start" in caplog.text


def test_the_reason_for_the_end_goes_to_the_dispatcher():
    heard = Heard()
    report = reporter({"st_callback": heard.send})
    Clumsy()._give_up(InvalidArgument("lam", -1, "0 or more"), report, "; the last trial said: out of memory")
    assert heard.errors == ["Clumsy cannot go on: lam = -1: 0 or more; the last trial said: out of memory"]
    assert reporter({}) is None and reporter({"st_callback": print}) is None


def test_all_our_tuners_have_the_one_guard():
    for tuner in (StudyTuner, MirrorStimuliTuner):
        assert issubclass(tuner, GuardedTuner)
        assert "_refusing" not in vars(tuner) and "_give_up" not in vars(tuner)
