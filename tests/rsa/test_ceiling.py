"""Noise ceilings: rsatoolbox as oracle, and what subjects who agree or do not agree have."""

from __future__ import annotations

import numpy as np
import pytest

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.ceiling import noise_ceiling, split_half_ceiling

pytestmark = pytest.mark.timeout(60)  # rsatoolbox takes seconds to import

RNG = np.random.default_rng(0)
SUBJECTS = RNG.random(190) + 0.5 * RNG.random((6, 190))


@pytest.mark.parametrize(("method", "theirs"), [("pearson", "corr"), ("spearman", "spearman"), ("cosine", "cosine")])
def test_it_is_rsatoolboxs(method, theirs):
    from rsatoolbox import rdm
    from rsatoolbox.inference import boot_noise_ceiling

    expected = boot_noise_ceiling(rdm.RDMs(SUBJECTS), method=theirs)
    assert noise_ceiling(SUBJECTS, method) == pytest.approx(expected, abs=1e-10)


def test_subjects_who_agree_leave_no_noise():
    assert noise_ceiling(np.stack([SUBJECTS[0]] * 3)) == pytest.approx((1.0, 1.0))


def test_one_subject_is_refused():
    with pytest.raises(InvalidArgument, match="at least two subjects"):
        noise_ceiling(SUBJECTS[:1])


def test_halves_are_corrected_for_their_length():
    truth = RNG.normal(size=20_000)
    first, second = truth + RNG.normal(size=(2, 20_000))  # r = 1/2
    whole = (first + second) / 2.0
    expected = np.corrcoef(truth, whole)[0, 1]
    assert split_half_ceiling(first, second, "pearson") == pytest.approx(expected, abs=0.02)
    assert split_half_ceiling(first, -first, "pearson") == 0.0
