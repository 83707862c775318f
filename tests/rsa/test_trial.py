"""A trial's own reports, guided: what reaches NNI, number for number."""

from __future__ import annotations

import json
import logging

import nni
import pytest
import torch
from nni.runtime.trial_command_channel import (
    TrialCommandChannel,
    get_default_trial_command_channel,
    set_default_trial_command_channel,
)

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.channel import StopProxyTraining
from nni_strategies.rsa.details import DETAILS
from nni_strategies.rsa.history import History, Outcome
from nni_strategies.rsa.score import TeacherScorer
from nni_strategies.rsa.trial import Guide
from tests.rsa.test_score import network, teacher_of

LAYERS = ("blocks.0", "blocks.1", "blocks.2", "head:input")


class Recorded(TrialCommandChannel):
    def __init__(self):
        self.sent = []

    def send_metric(self, type, parameter_id, trial_job_id, sequence, value):
        self.sent.append((type, sequence, value))


@pytest.fixture
def nni_sees(monkeypatch):
    """What arrives at NNI's side of the channel."""
    before, channel = get_default_trial_command_channel(), Recorded()
    monkeypatch.setattr(nni.trial, "_intermediate_seq", 0)
    set_default_trial_command_channel(channel)
    yield channel.sent
    assert get_default_trial_command_channel() is channel, "the guide left its channel behind"
    set_default_trial_command_channel(before)


@pytest.fixture
def teacher(tmp_path):
    return teacher_of(network(0), tmp_path).spec


def train(model, epochs=5, seen=None):
    """Real steps, and the user's own reports."""
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for epoch in range(epochs):
        model.train()
        loss = model(torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(epoch))).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        nni.report_intermediate_result({"default": 0.1 * epoch, "loss": loss.item()})
        if seen is not None:
            seen.append(epoch)
    nni.report_final_result(0.9)


def test_judged_after_two_epochs_and_no_further(teacher, nni_sees):
    model, seen = network(1), []
    guide = Guide(teacher, mode="paper", alpha=0.5)
    with guide.attach(model):
        train(model, seen=seen)
    tg = TeacherScorer(guide.scorer.teacher).score(model).tg
    assert seen == [0]  # the second report does not return
    assert [(kind, sequence) for kind, sequence, _ in nni_sees] == [("PERIODICAL", 0), ("PERIODICAL", 1), ("FINAL", 0)]
    final = nni_sees[-1][2]
    assert final["default"] == pytest.approx(0.1 + 0.5 * tg)
    assert (final["P"], final["alpha"], final["tg_ok"]) == (0.1, 0.5, 1)
    assert final["TG"] == pytest.approx(tg)
    assert [final[f"TG:{name}"] for name in LAYERS] == pytest.approx(list(guide.scorer.score(model).per_layer.values()))
    assert nni_sees[1][2] == final
    assert set(nni_sees[0][2]) == set(final)
    assert "loss" in final
    json.dumps([value for _, _, value in nni_sees], allow_nan=False)


def test_training_can_be_told_to_stop_instead(teacher, nni_sees):
    told, seen = [], []
    with Guide(teacher, stop_mode="flag").attach(network(1), lambda: told.append(len(nni_sees))):
        train(network(2), seen=seen)  # which does not listen
    assert told == [3]
    assert seen == [0, 1, 2, 3, 4]
    assert [kind for kind, _, _ in nni_sees] == ["PERIODICAL", "PERIODICAL", "FINAL"]  # the rest is dropped
    with Guide(teacher, stop_mode="flag", proxy_epochs=1).attach(network(1)) as channel:
        assert not channel.ended
        nni.report_intermediate_result(0.5)
        assert channel.ended  # what a loop may look at


def test_trained_to_the_end_it_is_judged_there(teacher, nni_sees):
    model = network(1)
    with Guide(teacher, proxy_epochs=None, every=2).attach(model):
        train(model)
        nni.report_final_result(0.7)  # Lightning reports a second time
    assert [kind for kind, _, _ in nni_sees] == ["PERIODICAL"] * 5 + ["FINAL"]
    assert [value["tg_ok"] for _, _, value in nni_sees] == [0, 1, 1, 1, 1, 1]
    scores = [value["TG"] for _, _, value in nni_sees]
    assert scores[1] == scores[2] != scores[3] == scores[4]
    assert nni_sees[-1][2]["P"] == 0.9


def test_a_scalar_where_a_dictionary_is_not_understood(teacher, nni_sees):
    with Guide(teacher, report="scalar", mode="paper").attach(network(1)) as channel:
        nni.report_final_result(0.5)
    assert channel.ended
    assert isinstance(nni_sees[0][2], float)
    assert 0.5 < nni_sees[0][2] < 1.5


def test_a_score_that_fails_costs_the_trial_nothing(teacher, nni_sees, caplog):
    model = network(1)
    with caplog.at_level(logging.WARNING), Guide(teacher, every=1, tg_floor=-0.5, mode="paper").attach(model):
        model.blocks[2] = torch.nn.Conv2d(99, 1, 1)  # broken from now on
        nni.report_intermediate_result(0.3)
        nni.report_final_result(0.4)
    assert [value["default"] for _, _, value in nni_sees] == pytest.approx([-0.2, -0.1])
    assert [value["tg_ok"] for _, _, value in nni_sees] == [0, 0]
    assert caplog.text.count("could not judge") == 1
    with pytest.raises(RuntimeError), Guide(teacher, strict=True).attach(model):
        nni.report_final_result(0.4)


@pytest.mark.parametrize("metric", [float("nan"), None, "text"])
def test_what_is_no_number_goes_on_as_it_is(teacher, nni_sees, metric):
    with Guide(teacher).attach(network(1)):
        nni.report_final_result(metric)
    assert nni_sees[0][2] is metric


def test_a_metric_without_the_key_costs_the_trial_nothing(teacher, nni_sees, caplog):
    with caplog.at_level(logging.WARNING), Guide(teacher, key="accuracy").attach(network(1)):
        nni.report_intermediate_result({"default": 0.1, "acuracy": 0.2})
        nni.report_final_result({"default": 0.3, "acuracy": 0.4})
    assert [value["default"] for _, _, value in nni_sees] == [0.1, 0.3]
    assert caplog.text.count("did you mean 'acuracy'") == 1


def test_what_the_training_raises_is_its_own(teacher, nni_sees):
    with pytest.raises(ZeroDivisionError), Guide(teacher).attach(network(1)):
        raise ZeroDivisionError
    assert nni_sees == []


def test_the_copy_that_is_trained_can_be_named(teacher, nni_sees):
    model, other = network(1), network(0)
    guide = Guide(teacher, mode="paper")
    with guide.attach(model):
        guide.set_model(other)
        nni.report_final_result(0.0)
    assert nni_sees[0][2]["TG"] == pytest.approx(1.0, abs=1e-6)


def test_the_worst_at_the_first_epoch_stop_there(teacher, nni_sees):
    history = History()
    for i in range(10):
        history.add(Outcome(f"t{i}", 1, {"P": 0.5 + 0.01 * i, "TG": 0.5}, 10.0 + i))
    with Guide(teacher, stop={"at": 1}, history=history).attach(network(1)):
        train(network(2))
    assert [kind for kind, _, _ in nni_sees] == ["PERIODICAL", "FINAL"]
    assert nni_sees[-1][2]["tg_ok"] == 1


def test_the_scale_comes_from_earlier_trials(teacher, nni_sees):
    history = History()
    for i in range(10):
        history.add(Outcome(f"t{i}", 2, {"P": 0.1 * i, "TG": 0.5 + 0.01 * i}, 0.0, judged=True))
    with Guide(teacher, history=history).attach(network(1)):
        nni.report_final_result(0.5)
    value = nni_sees[0][2]
    assert value["alpha"] == pytest.approx(10.0)
    assert value["default"] == pytest.approx(0.5 + 10.0 * (value["TG"] - 0.545))
    json.dumps(value, allow_nan=False)


def test_the_first_of_many_report_their_performance(teacher, nni_sees):
    with Guide(teacher, history=History()).attach(network(1)):
        nni.report_final_result(0.5)
    assert nni_sees[0][2]["default"] == nni_sees[0][2]["P"] == 0.5
    assert nni_sees[0][2]["TG"] > 0.0


def test_what_matched_what_is_kept_for_the_report(teacher, nni_sees, tmp_path, monkeypatch):
    monkeypatch.setenv("NNI_OUTPUT_DIR", str(tmp_path))
    with Guide(teacher).attach(network(0)):
        nni.report_final_result(0.5)
    details = json.loads((tmp_path / DETAILS).read_text())
    assert details["match"] == {name: name for name in LAYERS}
    assert len(details["matrix"]) == len(details["matrix"][0]) == 4


def test_bad_options_are_refused_before_training(teacher, tmp_path):
    with pytest.raises(InvalidArgument, match="did you mean 'proxy_epochs'"):
        Guide(teacher, proxy_epoch=3)
    with pytest.raises(InvalidArgument, match="did you mean 'quantile'"):
        Guide(teacher, stop={"quantil": 0.1})
    with pytest.raises(InvalidArgument, match="readable JSON"):
        Guide.from_file(tmp_path / "nothing.json")
    assert not issubclass(StopProxyTraining, Exception)


def test_what_others_had_is_valued_as_the_candidate_is(teacher, nni_sees):
    """Those of the first ten trials had no scale yet: what they were worth then is not compared."""
    history = History()
    for i in range(10):
        signals = {"P": 0.1 * i, "TG": 0.5, "TSE": 4.0 - 0.2 * i}
        history.add(Outcome(f"t{i}", 1, signals | {"TSE": 2.0}, signals["P"]))
        history.add(Outcome(f"t{i}", 2, signals, signals["P"], judged=True))
    # at step 1 the sums of losses are smaller: +0.55 for all, which the first ten had not been given
    with Guide(teacher, stop={"at": 1}, history=history).attach(network(1)):
        nni.report_intermediate_result({"default": 0.2, "train_loss": 2.0})
    assert [kind for kind, _, _ in nni_sees] == ["PERIODICAL", "FINAL"]
    assert nni_sees[-1][2]["default"] == 0.2  # a sum over fewer epochs is no lower loss


def test_a_failed_score_is_no_low_score(teacher, nni_sees, caplog):
    """Where TG is scaled, a floor of 0 would rank a candidate last for an error of ours."""
    history = History()
    for i in range(10):
        history.add(Outcome(f"t{i}", 1, {"P": 0.1 * i, "TG": 0.5 + 0.01 * i}, 0.0, judged=True))
    model = network(1)
    with Guide(teacher, proxy_epochs=1, history=history).attach(model):
        model.blocks[2] = torch.nn.Conv2d(99, 1, 1)
        nni.report_intermediate_result(0.4)
    final = nni_sees[-1][2]
    assert (final["default"], final["tg_ok"], final["TG"]) == (0.4, 0, 0.0)
    assert "TG" not in history.read()[-1].signals


def test_after_a_failed_score_nothing_old_is_shown(teacher, nni_sees, tmp_path, monkeypatch):
    monkeypatch.setenv("NNI_OUTPUT_DIR", str(tmp_path))
    model = network(1)
    with Guide(teacher, mode="paper", every=1, proxy_epochs=None).attach(model):
        nni.report_intermediate_result(0.3)
        model.blocks[2] = torch.nn.Conv2d(99, 1, 1)
        nni.report_final_result(0.4)
    first, last = (value for _, _, value in nni_sees)
    assert first["tg_ok"] == 1 and first["TG:blocks.2"] > 0.0
    assert (last["tg_ok"], last["TG:blocks.2"], last["tg_seconds"]) == (0, 0.0, 0.0)
    assert not (tmp_path / DETAILS).exists()


@pytest.mark.parametrize("spoil", ["history", "metric", "model", "losses"])
def test_nothing_that_goes_wrong_reaches_the_trial(teacher, nni_sees, tmp_path, caplog, spoil):
    (tmp_path / "rsa_history.jsonl").write_bytes(b'\xff\n[]\n{"trial": 1, "judged": true}\n')
    value = {"default": 10**400} if spoil == "metric" else {"default": 0.4}
    model = object() if spoil == "model" else network(1)
    losses = (lambda: 1 / 0) if spoil == "losses" else dict
    guide = Guide(teacher, history=History(tmp_path))
    with caplog.at_level(logging.WARNING), guide.attach(model, losses=losses):
        nni.report_intermediate_result(value)
        nni.report_final_result(value)
    assert [kind for kind, _, _ in nni_sees] == ["PERIODICAL", "FINAL"]
    assert nni_sees[-1][2] is value or nni_sees[-1][2]["default"] == 0.4
    if spoil in ("losses", "model"):
        assert caplog.text.count("could not be judged") == 1
        strict = Guide(teacher, strict=True)
        with pytest.raises((ZeroDivisionError, AttributeError)), strict.attach(model, losses=losses):
            nni.report_final_result(value)


def test_without_a_performance_the_training_is_not_ended(teacher, nni_sees, caplog):
    with Guide(teacher, key="acc", proxy_epochs=2).attach(network(1)):
        for _ in range(3):
            nni.report_intermediate_result({"loss": 1.0})
        nni.report_final_result({"acc": 0.5})
    assert [kind for kind, _, _ in nni_sees] == 3 * ["PERIODICAL"] + ["FINAL"]
    assert nni_sees[-1][2]["P"] == 0.5


def test_a_result_after_the_last_word_is_dropped_in_a_trial_process(teacher, nni_sees, monkeypatch):
    monkeypatch.setenv("NNI_TRIAL_JOB_ID", "abc")
    channel = get_default_trial_command_channel()
    with Guide(teacher, proxy_epochs=1).attach(network(1)):
        nni.report_intermediate_result(0.4)
    nni.report_final_result(0.9)  # the user's script goes on
    set_default_trial_command_channel(channel)
    assert [kind for kind, _, _ in nni_sees] == ["PERIODICAL", "FINAL"]


def test_what_a_trial_reports_itself_stays(teacher, nni_sees):
    with Guide(teacher, mode="rank", history=History()).attach(network(1)):
        nni.report_final_result({"default": 0.4, "params": 7, "TSE": 1.5})
    assert (nni_sees[0][2]["params"], nni_sees[0][2]["TSE"]) == (7, 1.5)
    assert "alpha" not in nni_sees[0][2]  # ranks have no weights
