"""Similarities against scipy, rsatoolbox and the definition of CKA, ties included."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from nni_strategies.errors import InvalidArgument
from nni_strategies.rsa.gram import gram
from nni_strategies.rsa.rdm import correlation_rdm
from nni_strategies.rsa.similarity import compare, gram_signature, signature

pytestmark = pytest.mark.timeout(60)  # rsatoolbox takes seconds to import

RNG = np.random.default_rng(0)
RDMS = RNG.random((5, 300)) + RNG.random(300)


@pytest.mark.parametrize("decimals", [12, 1], ids=["all different", "heavy ties"])
@pytest.mark.parametrize(
    ("method", "theirs"), [("pearson", "corr"), ("spearman", "spearman"), ("rho-a", "rho-a"), ("cosine", "cosine")]
)
def test_it_is_rsatoolboxs(method, theirs, decimals):
    from rsatoolbox import rdm

    vectors = RDMS.round(decimals)
    expected = rdm.compare(rdm.RDMs(vectors[:2]), rdm.RDMs(vectors[2:]), method=theirs)
    assert np.abs(compare(vectors[:2], vectors[2:], method) - expected).max() <= 1e-10


@pytest.mark.parametrize("decimals", [12, 1], ids=["all different", "heavy ties"])
def test_it_is_scipys(decimals):
    a, b = RDMS[:2].round(decimals)
    assert compare(a, b, "pearson")[0, 0] == pytest.approx(pearsonr(a, b).statistic, abs=1e-10)
    assert compare(a, b, "spearman")[0, 0] == pytest.approx(spearmanr(a, b).statistic, abs=1e-10)


@pytest.mark.parametrize("decimals", [16, 2, 1], ids=["all different", "ties", "heavy ties"])
def test_many_pairs_are_scipys_and_rsatoolboxs(decimals):
    """Of 300 stimuli: so many are ranked another way."""
    from rsatoolbox import rdm

    rng = np.random.default_rng(1)
    vectors = (rng.random((4, 44_850)) + rng.random(44_850)).round(decimals)
    found = compare(vectors[:2], vectors[2:], "spearman")
    expected = [[spearmanr(a, b).statistic for b in vectors[2:]] for a in vectors[:2]]
    assert np.abs(found - expected).max() <= 1e-10
    theirs = rdm.compare(rdm.RDMs(vectors[:2]), rdm.RDMs(vectors[2:]), method="spearman")
    assert np.abs(found - theirs).max() <= 1e-10


def test_rdms_in_single_precision_are_compared_as_they_are():
    single = RDMS.astype(np.float32)
    for method in ("pearson", "spearman", "cosine"):
        expected = compare(single[:2].astype(np.float64), single[2:].astype(np.float64), method)
        assert np.array_equal(compare(single[:2], single[2:], method), expected)
    assert np.array_equal(single, RDMS.astype(np.float32))


def test_cka_is_its_definition():
    x, y = RNG.normal(size=(40, 90)) + 5.0, RNG.normal(size=(40, 30))
    y[:, :20] += x[:, :20]
    x_centred, y_centred = x - x.mean(axis=0), y - y.mean(axis=0)
    expected = np.linalg.norm(y_centred.T @ x_centred) ** 2 / (
        np.linalg.norm(x_centred.T @ x_centred) * np.linalg.norm(y_centred.T @ y_centred)
    )
    signatures = [gram_signature(gram(z, "float64"), "cka") for z in (x, y)]
    assert signatures[0] @ signatures[1] == pytest.approx(expected, abs=1e-12)
    rotation = np.linalg.qr(RNG.normal(size=(90, 90)))[0]
    turned = gram_signature(gram(3.0 * x @ rotation + RNG.normal(size=90), "float64"), "cka")
    assert turned @ signatures[0] == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("method", ["pearson", "spearman", "cosine"])
def test_itself_is_one_and_nothing_is_zero(method):
    assert np.diag(compare(RDMS, RDMS, method)) == pytest.approx(1.0, abs=1e-12)
    assert compare(RDMS[:1], np.zeros(300), method).item() == 0.0
    assert np.isfinite(compare(np.full(300, 0.1), np.full(300, 0.3), method)).all()


def test_activations_have_the_signature_of_their_rdm():
    x = RNG.normal(size=(25, 60))
    sums = gram(x)
    assert np.array_equal(gram_signature(sums, "spearman"), signature(correlation_rdm(sums), "spearman"))


def test_bad_input_is_refused():
    with pytest.raises(InvalidArgument, match="did you mean 'spearman'"):
        compare(RDMS, RDMS, "spearmann")
    with pytest.raises(InvalidArgument, match="for RDMs"):
        compare(RDMS, RDMS, "cka")
    with pytest.raises(InvalidArgument, match="as many pairs as the teacher, 300"):
        compare(RDMS, RDMS[:, :299], "pearson")
