"""Pairs as vectors, against numpy's order and matrices."""

from __future__ import annotations

import numpy as np

from nni_strategies.pairs import n_items, pairs_among, square

VECTOR = np.array([0.9, 0.1, 0.5, 0.7, 0.3, 1.1])  # of 4 items: 01 02 03 12 13 23


def test_of_how_many_items_there_are_so_many_pairs():
    known = {n * (n - 1) // 2: n for n in range(2, 200)}
    assert {m: n for m in range(max(known) + 1) if (n := n_items(m)) is not None} == known
    n = 10**9 + 7  # beyond what double precision tells apart
    assert (n_items(n * (n - 1) // 2), n_items(n * (n - 1) // 2 + 1)) == (n, None)


def test_square_by_hand():
    assert square(VECTOR, 4).tolist() == [
        [0.0, 0.9, 0.1, 0.5],
        [0.9, 0.0, 0.7, 0.3],
        [0.1, 0.7, 0.0, 1.1],
        [0.5, 0.3, 1.1, 0.0],
    ]


def test_pairs_of_some_are_where_the_matrix_has_them():
    whole = np.random.default_rng(0).random(12 * 11 // 2)
    kept = np.array([0, 3, 4, 10, 11], dtype=np.int16)
    assert np.array_equal(square(whole[pairs_among(kept, 12)], 5), square(whole, 12)[np.ix_(kept, kept)])
    assert pairs_among(np.arange(9), 9).tolist() == list(range(36))
