"""Hard digits: the same for everyone, moved by at most a pixel, and stimuli that nobody trains on."""

from __future__ import annotations

import numpy as np
import pytest

from trial_code import noisy_digits as module
from trial_code.digits import load_digits
from trial_code.noisy_digits import noisy_digits, spoil, stimuli


def test_three_parts_of_all_digits_the_same_each_time():
    parts, again = noisy_digits(), noisy_digits()
    assert [len(part.labels) for part in parts] == [700, 300, 797]
    assert all(part.images.dtype == np.float32 and part.images.shape[1:] == (1, 8, 8) for part in parts)
    assert all(np.array_equal(a.images, b.images) for a, b in zip(parts, again, strict=True))
    assert not np.array_equal(parts[0].images, noisy_digits(1)[0].images)
    assert np.array_equal(np.bincount(np.concatenate([p.labels for p in parts])), np.bincount(load_digits()[1]))


def test_each_image_is_moved_by_at_most_a_pixel(monkeypatch):
    monkeypatch.setattr(module, "NOISE", 0.0)
    images = np.zeros((400, 1, 8, 8), np.float32)
    images[:, 0, 3, 4] = 1.0
    rows, columns = (np.argwhere(spoil(images, np.random.default_rng(0)))[:, i] for i in (2, 3))
    assert set(zip((rows - 3).tolist(), (columns - 4).tolist(), strict=True)) == {
        (i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)
    }


def test_noise_is_as_said():
    spoilt = spoil(np.zeros((500, 1, 8, 8), np.float32), np.random.default_rng(0))
    assert spoilt.std() == pytest.approx(0.35, abs=0.01)


def test_stimuli_are_validation_images_twenty_of_each_digit():
    _, valid, _ = noisy_digits()
    shown = stimuli(valid)
    assert shown.shape == (200, 8, 8, 1)
    pixels = np.round(255.0 * np.clip(valid.images, 0, 1)).astype(np.uint8)[:, 0]
    found = [int(np.flatnonzero((pixels == image[..., 0]).all(axis=(1, 2)))[0]) for image in shown]
    assert np.bincount(valid.labels[found]).tolist() == [20] * 10
    assert found == sorted(found)
