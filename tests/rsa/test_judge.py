"""What is reported, by hand; when a candidate stops; and what trials know of each other."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.history import FILE, History, Outcome, trial_history
from nni_strategies.rsa.judge import Judge
from nni_strategies.rsa.stopping import StopRule

EARLIER = [{"P": 0.1 * i, "TG": 0.5 + 0.02 * i, "CE": 3.0 - 0.4 * i} for i in range(12)]


def test_the_papers_sum():
    judge = Judge(mode="paper", alpha=2.0)
    assert judge.performance({"default": 0.8, "loss": 3.0}) == 0.8
    assert judge.merit({"P": 0.8, "TG": 0.25, "CE": 9.0}, EARLIER) == pytest.approx(1.3)
    assert judge.merit({"P": 0.8}, EARLIER) == 0.8  # TG is not known yet


def test_the_scale_is_that_of_the_first_ten():
    judge = Judge()
    assert judge.shares(None) == {"TG": (1.0, 0.0)}  # trials that do not see each other: the paper's sum
    assert judge.shares(EARLIER[:9]) == {}
    assert judge.merit({"P": 0.4, "TG": 0.6}, EARLIER[:9]) == 0.4
    assert judge.shares(EARLIER)["TG"] == judge.shares(EARLIER[:10])["TG"] == pytest.approx((5.0, 0.59))
    assert judge.shares([known | {"TG": 0.5} for known in EARLIER]) == {}
    assert judge.merit({"P": 0.4, "TG": 0.6}, EARLIER) == pytest.approx(0.45)


def test_one_odd_trial_does_not_set_the_scale():
    """Nor do ten that failed alike: then the next ones are taken too."""
    diverged = [known | {"P": -1e4, "TG": 0.9} if i == 3 else known for i, known in enumerate(EARLIER)]
    weight, centre = Judge().shares(diverged)["TG"]
    assert 2.0 < weight < 10.0 and 0.55 < centre < 0.65
    chance = 10 * [{"P": 0.1, "TG": 0.5}]
    assert Judge().shares(chance) == {}
    assert Judge().shares(chance + EARLIER)["TG"][0] > 0.5


def test_by_default_the_training_losses_count_too():
    earlier = [known | {"TSE": 4.0 - 0.2 * i} for i, known in enumerate(EARLIER)]
    known = {"P": 0.4, "TG": 0.6, "TSE": 2.5}
    by_hand = 0.4 + 5.0 * (0.6 - 0.59) + 0.5 * (-2.5 + 3.1)
    assert Judge().merit(known, earlier) == pytest.approx(by_hand)
    assert Judge().merit({"P": 0.4, "TG": 0.6}, earlier) == pytest.approx(0.45)  # a trial that reports none
    assert Judge(mode="paper").merit(known, earlier) == pytest.approx(1.0)


def test_other_signals_count_as_much_as_p():
    all_three = Judge(combine=("P", "TG", "CE"))
    weight, centre = all_three.shares(EARLIER)["CE"]
    assert (weight, centre) == pytest.approx((0.25, -1.2))  # lower is better: the median of -CE
    assert all_three.merit({"P": 0.4, "TG": 0.6, "CE": 1.0}, EARLIER) == pytest.approx(0.45 + 0.25 * 0.2)
    assert all_three.merit({"P": 0.4, "TG": 0.6, "CE": math.nan}, EARLIER) == pytest.approx(0.45)
    alone = Judge(combine=("CE",))
    assert alone.merit({"P": 0.4, "CE": 1.0}, EARLIER) == pytest.approx(0.45 + 0.25 * 0.2)  # about the median of P
    assert alone.merit({"P": 0.4, "CE": 1.0}, EARLIER[:3]) == 0.4
    assert alone.merit({"P": 0.4, "TG": 0.6}, None) == Judge(combine=("P",)).merit({"P": 0.4, "TG": 0.6}, None) == 0.4


def test_shares_of_earlier_trials_that_are_worse():
    judge = Judge(mode="rank", combine=("P", "CE"))
    assert judge.merit({"P": 0.4}, []) == 0.5
    # P: five of 12 are worse; CE: of 3.0, 2.6, ... -1.4 five are higher than 1.0, one is equal
    expected = ((4 + 0.5 + 0.5) / 13 + (5 + 0.5 + 0.5) / 13) / 2
    assert judge.merit({"P": 0.4, "CE": 3.0 - 0.4 * 5}, EARLIER) == pytest.approx(expected)
    best, worst = (judge.merit({"P": p, "CE": -p}, EARLIER) for p in (9.0, -9.0))
    assert (best, worst) == pytest.approx((12.5 / 13, 0.5 / 13))
    assert Judge(mode="rank").merit({"P": 0.4, "TG": 0.25}, None) == pytest.approx(0.65)  # trials do not see each other


def test_a_loss_is_turned_round_and_back():
    judge = Judge(mode="paper", minimize=True, scale=10.0, larger_reported=False, key="loss")
    p = judge.performance({"loss": 4.0})
    assert p == -0.4
    assert judge.reported(judge.merit({"P": p, "TG": 0.25}, None)) == pytest.approx(4.0 - 10.0 * 0.25)
    assert Judge(minimize=True).reported(-0.15) == -0.15


@pytest.mark.parametrize("metric", [None, "bad", math.nan, [1, 2], 10**400])
def test_what_is_no_number_is_none(metric):
    assert math.isnan(Judge().performance(metric))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "papers"}, "did you mean 'paper'"),
        ({"report": "list"}, "report"),
        ({"combine": ("P", "TGS")}, "did you mean 'TG'"),
        ({"combine": ()}, "at least one signal"),
        ({"combine": 5}, "combine = 5: some of"),
        ({"alpha": 2.0}, "for mode='paper'"),
        ({"combine": ["P", "ce"]}, "did you mean 'CE'"),
        ({"mode": "paper", "combine": ("P", "CE")}, "P and TG in the paper's mode"),
        ({"alpha": math.nan}, "alpha"),
        ({"scale": 0}, "scale = 0: a positive"),
        ({"proxy_epochs": 0}, "proxy_epochs"),
        ({"every": -1}, "every"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(InvalidArgument, match=message):
        Judge(**options)
    with pytest.raises(InvalidArgument, match="did you mean 'accuracy'"):
        Judge(key="acuracy").performance({"accuracy": 1.0})


def test_below_the_quantile_stops():
    rule, others = StopRule(at=1, quantile=0.3, min_trials=10), np.arange(10) / 10
    assert rule.stops(1, 0.26, others)  # the 0.3 quantile is 0.27
    assert not rule.stops(1, 0.28, others)
    assert not rule.stops(2, 0.0, others)
    assert not rule.stops(1, 0.0, others[:9])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"quantil": 0.3}, "did you mean 'quantile'"),
        ({"quantile": 1.0}, "stop.quantile"),
        ({"at": 0}, "stop.at"),
        ({"min_trials": 2.5}, "stop.min_trials"),
        ("yes", "an object with"),
    ],
)
def test_bad_rules_are_refused(given, message):
    with pytest.raises(InvalidArgument, match=message):
        StopRule.from_json(given)
    assert StopRule.from_json(None) is None
    assert StopRule.from_json({"at": 2}) == StopRule(at=2)


def test_trials_of_a_folder_see_each_other(tmp_path):
    first, second = History(tmp_path), History(tmp_path)
    first.add(Outcome("a", 1, {"P": 0.5, "TG": 0.4}, 0.9))
    second.add(Outcome("b", 1, {"P": 0.6, "TG": 0.3}, 0.9, judged=True))
    with open(tmp_path / FILE, "a") as file:
        file.write('{"trial": "c", "step": 1, "signals": {"TG": 0.1}, "value": 0.1, "judged": true}\n')
        file.write('{"trial": "d", "step": 1, "signals": 3, "value": 0.1, "judged": true}\n[]\n')
        file.write('{"trial": ["f"], "step": 1, "signals": {"P": 0.1}, "value": 0.1, "judged": true}\n')
        file.write('{"trial": "g", "step": 1, "signals": {"P": ' + "9" * 400 + '}, "value": 0.1, "judged": true}\n')
        file.write("[" * 100_000 + "\n")
        file.buffer.write(b'{"trial": "h\xff", "step": 1}\n')
        file.write('{"trial": "torn", "st')
    assert [outcome.trial for outcome in first.read()] == ["a", "b"]
    assert [outcome.signals for outcome in second.judged()] == [{"P": 0.6, "TG": 0.3}]
    second.add(Outcome("b", 1, {"P": 0.7, "TG": 0.3}, 0.9, judged=True))  # run again after a kill
    assert [outcome.signals for outcome in second.judged()] == [{"P": 0.7, "TG": 0.3}]
    other = Outcome("e", 1, {"P": 0.1}, 0.1, judged=True, teacher="another")
    first.add(other)
    assert [o.trial for o in second.judged("mine")] == ["b"]  # whose teacher nobody noted
    assert [o.trial for o in second.judged("another")] == ["b", "e"]
    gone = History(tmp_path / "gone")
    gone.add(Outcome("a", 1, {"P": 0.5, "TG": 0.4}, 0.9))
    assert len(gone.read()) == 1


def test_which_trials_share_a_history(tmp_path, monkeypatch):
    engine = SimpleNamespace()
    engines = [type("Engine", (), {})() for _ in range(2)]
    channels = [SimpleNamespace(engine=e) for e in (engines[0], engines[0], engines[1])]
    histories = [trial_history(channel) for channel in channels]
    assert histories[0] is histories[1]
    assert histories[0] is not histories[2]
    assert trial_history(engine) is not trial_history(engine)
    assert trial_history(engine).judged() is None
    assert histories[0].judged() == []
    assert [histories[0].name_trial() for _ in range(2)] == ["trial 0", "trial 1"]
    folder = tmp_path / "experiment" / "trials" / "abc"
    folder.mkdir(parents=True)
    for name, value in (("NNI_PLATFORM", "local"), ("NNI_SYS_DIR", str(folder)), ("NNI_TRIAL_JOB_ID", "abc")):
        monkeypatch.setenv(name, value)
    shared = trial_history(channels[0])
    shared.add(Outcome("a", 1, {"P": 0.5, "TG": 0.4}, 0.9))
    assert (tmp_path / "experiment" / FILE).is_file()
    assert shared.name_trial() == "abc"
    monkeypatch.setenv("NNI_PLATFORM", "remote")
    assert trial_history(channels[0]) is histories[0]
