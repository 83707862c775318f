"""How programs end that are given something wrong."""

from __future__ import annotations

import pytest

from nni_strategies.errors import DataMissing, InvalidArgument
from trial_code.command_line import bad_input_ends


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InvalidArgument("--lr", -1, "a number above 0"), "error: --lr = -1: a number above 0\n"),
        (DataMissing("no images;\n   set a folder"), "error: no images; set a folder\n"),
    ],
)
def test_bad_input_is_one_line_and_two(capsys, error, said):
    with pytest.raises(SystemExit) as ended, bad_input_ends():
        raise error
    assert ended.value.code == 2
    assert capsys.readouterr().err == said


def test_anything_else_passes():
    with bad_input_ends():
        pass
    with pytest.raises(ZeroDivisionError), bad_input_ends():
        _ = 1 / 0
    with pytest.raises(SystemExit) as ended, bad_input_ends():
        raise SystemExit(1)
    assert ended.value.code == 1
