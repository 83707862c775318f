"""Pictures of RDMs pixel by pixel, and the matrix of matches cell by cell."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from nni_strategies.report.rdm_pictures import details_sections, percentiles, picture, similarity_order
from nni_strategies.report.records import TrialRecord
from nni_strategies.report.teacher_files import TeacherDetails
from tests.report.test_page import Page

DARK, LIGHT = (0x14, 0x47, 0x7F), (0xF4, 0xF8, 0xFC)
RDM = np.array([0.9, 0.1, 0.5, 0.7, 0.3, 1.1])  # of 4 stimuli: 01 02 03 12 13 23


def pixels(uri: str) -> np.ndarray:
    kind, _, data = uri.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


def details(**fields) -> TeacherDetails:
    given = {
        "trial": TrialRecord(7, {}, metric=0.5, status="finished"),
        "rank": 1,
        "method": "cka",
        "teacher_layers": ("early", "late"),
        "candidate_layers": ("a<1>", "b", "c"),
        "match": {"early": "b", "late": "c"},
        "matrix": ((0.1, 0.55, None), (0.2, 0.3, 0.9)),
        "teacher_rdms": {"early": RDM, "late": RDM},
        "candidate_rdms": {"b": RDM, "c": -RDM},
        "n_stimuli": 4,
    }
    return TeacherDetails(**{**given, **fields})


def page_of(given: TeacherDetails) -> tuple[str, Page]:
    text = "\n".join(details_sections(given))
    page = Page(text)
    assert (page.open, page.unbalanced) == ([], [])
    return text, page


def test_percentiles_by_hand() -> None:
    assert percentiles(RDM).tolist() == [0.8, 0.0, 0.4, 0.6, 0.2, 1.0]
    assert percentiles(np.array([1.0, 1.0, 2.0])).tolist() == [0.25, 0.25, 1.0]


def test_each_pixel_is_the_pair_of_its_stimuli() -> None:
    seen = pixels(picture(RDM, np.arange(4)))
    assert seen.shape == (4, 4, 3)
    assert np.array_equal(seen, seen.transpose(1, 0, 2))
    assert [tuple(seen[i, i]) for i in range(4)] == [DARK] * 4
    assert tuple(seen[0, 2]) == DARK  # the most alike pair
    assert tuple(seen[2, 3]) == LIGHT  # the least
    by_darkness = sorted(((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)), key=lambda pair: int(seen[pair][0]))
    assert by_darkness == [(0, 2), (1, 3), (0, 3), (1, 2), (0, 1), (2, 3)]
    share = (int(seen[0, 3][0]) - DARK[0]) / (LIGHT[0] - DARK[0])
    assert share == pytest.approx(0.4, abs=1 / 64)
    order = np.array([2, 0, 3, 1])
    assert np.array_equal(pixels(picture(RDM, order)), seen[np.ix_(order, order)])


def test_a_scale_does_not_matter() -> None:
    assert picture(RDM, np.arange(4)) == picture(1e-3 * RDM**3, np.arange(4))


def test_the_order_puts_clusters_together() -> None:
    group = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], 10))
    i, j = np.triu_indices(30, 1)
    rdm = np.where(group[i] == group[j], 0.1, 1.0) + 0.01 * np.random.default_rng(1).random(len(i))
    order = similarity_order(rdm)
    assert sorted(order) == list(range(30))
    assert int((np.diff(group[order]) != 0).sum()) == 2


def test_the_matrix_cell_by_cell() -> None:
    text, page = page_of(details())
    rows = re.findall(r"<tr>(.*?)</tr>", text)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows[1:]]
    assert [[re.sub("<.*?>", "", cell) for cell in row] for row in cells] == [
        ["early", "0.10", "0.55", "–"],
        ["late", "0.20", "0.30", "0.90"],
    ]
    best = [[i for i, cell in enumerate(row) if 'class="best"' in cell] for row in cells]
    assert best == [[2], [3]]
    assert "background:#14477f" in cells[1][3]  # the most alike of all is the darkest
    assert "background:#f4f8fc" in cells[0][1]
    assert "a<1>" in page.words
    assert "trial 7 (the best) are, by linear CKA" in page.words
    assert "says nothing about the stimuli" in page.words


def test_pairs_of_maps_with_their_captions() -> None:
    text, page = page_of(details())
    images = re.findall(r'<img src="([^"]+)" alt="([^"]+)">', text)
    assert len(images) == 8  # two pairs, in two orders
    assert images[0][1] == "heat map of the RDM of the teacher’s layer early, 4 × 4 stimuli, percentiles"
    assert images[3][1] == "heat map of the RDM of the candidate’s layer c, 4 × 4 stimuli, percentiles"
    teacher, candidate = (pixels(images[4 + i][0]) for i in (2, 3))  # in stored order
    assert np.array_equal(teacher, pixels(picture(RDM, np.arange(4))))
    assert tuple(candidate[2, 3]) == DARK  # the other way round
    assert "rank correlation 1.00" in page.words
    assert "rank correlation -1.00" in page.words
    assert "percentile in its own map" in page.words


def test_a_part_of_the_stimuli_and_another_than_the_best_are_said() -> None:
    _, page = page_of(details(n_stimuli=1000, rank=3, approximate=frozenset({"c"})))
    words = " ".join(page.words.split())
    assert "of 4 of 1000 stimuli" in words
    assert "trial 7 (the best that left files, #3)" in words
    assert "Of c a sample of units was looked at." in words


def test_what_is_missing_is_said() -> None:
    text, page = page_of(details(problem="the teacher’s file <x> is gone", teacher_rdms={}, candidate_rdms={}))
    assert page.sections == ["layers", "rdms"]
    assert "<img" not in text
    assert "trial 7 (the best): the teacher’s file <x> is gone." in page.words
    nothing = details(match={}, matrix=((None,) * 3,) * 2, candidate_rdms={})
    assert page_of(nothing)[1].sections == ["layers"]
    assert details_sections(None) == []


def test_many_teacher_layers_are_cut_from_the_front() -> None:
    names = tuple(f"t{i}" for i in range(8))
    many = details(
        teacher_layers=names,
        match=dict.fromkeys(names, "b"),
        matrix=((0.1, 0.2, 0.3),) * 8,
        teacher_rdms=dict.fromkeys(names, RDM),
    )
    text, page = page_of(many)
    assert len(re.findall("<img", text)) == 2 * 2 * 6
    assert "2 earlier layers of the teacher are not drawn" in page.words
