from collections import Counter

import cv2
import numpy as np
import pytest

from assay.sample.infrastructure_picture import (
    HEIGHT,
    KINDS,
    RAW,
    SIZE,
    clip_polygon,
    scene,
    strip,
    view,
)


@pytest.fixture(scope="module")
def scenes():
    rng = np.random.default_rng(0)
    return [scene(rng) for _ in range(60)]


def test_a_scene_is_the_same_for_the_same_seed_and_another_for_another():
    one, other = scene(np.random.default_rng(7)), scene(np.random.default_rng(7))
    assert (one[0] == other[0]).all() and one[1] == other[1]
    assert (scene(np.random.default_rng(8))[0] != one[0]).any()


def test_boxes_lie_in_the_picture_and_have_a_size(scenes):
    for image, boxes in scenes:
        assert image.shape == (SIZE, SIZE, 3) and image.dtype == np.uint8
        for _, (left, top, right, bottom) in boxes:
            assert 0 <= left < right <= SIZE and 0 <= top < bottom <= SIZE
            assert min(right - left, bottom - top) >= 5


def test_all_nine_names_occur_and_no_other(scenes):
    names = Counter(name for _, boxes in scenes for name, _ in boxes)
    assert set(names) == set(RAW.values()) and len(names) == 9
    assert 2 < sum(names.values()) / len(scenes) < 6


def test_the_mix_of_conditions_is_followed():
    rng = np.random.default_rng(0)
    boxes = [box for _ in range(20) for box in scene(rng, condition_mix={"damaged": 1.0})[1]]
    assert {name for name, _ in boxes} <= {
        "rock toe damaged",
        "slope drain damaged",
        "Toe drain- Damaged",
        "vegetation",
    }
    assert len(boxes) > 20


def test_another_size_shows_the_same_things_smaller():
    large, small = (scene(np.random.default_rng(5), size=size) for size in (312, 156))
    assert small[0].shape == (156, 156, 3)
    assert [name for name, _ in small[1]] == [name for name, _ in large[1]] != []
    for (_, box), (_, half) in zip(large[1], small[1], strict=True):
        assert np.array(half) * 2 == pytest.approx(np.array(box), abs=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_objects_change_the_picture_where_their_polygons_are(kind):
    for seed in range(6):  # the same slope with and without them
        drawn, bare = (
            strip(np.random.default_rng(seed), HEIGHT, kinds=kinds, lookalikes=0) for kinds in ({kind: 1}, {})
        )
        inside = np.zeros(drawn.image.shape[:2], np.uint8)
        for _, polygon in drawn.objects:
            cv2.fillPoly(inside, [polygon.astype(np.int32)], 1)
        changed = np.abs(drawn.image.astype(int) - bare.image).max(axis=2) > 8
        assert drawn.objects and not bare.objects
        assert changed[inside == 1].mean() > 0.2
        assert changed[inside == 0].mean() < 0.05


def test_neighbouring_views_of_a_flight_show_the_same_objects_shifted():
    drawn = strip(np.random.default_rng(4), 900, kinds={"slope_drain": 1.0})
    views = [view(np.random.default_rng(1), drawn, x=x, steady=True) for x in (200, 240)]
    centres = [
        sorted((s.xyxy[0] + s.xyxy[2]) / 2 for s in shown if 60 < s.xyxy[0] < 250) for _, shown in views
    ]
    shared = [min(abs(x - 40 - y) for y in centres[1]) for x in centres[0] if x > 110]
    assert shared and max(shared) < 12


def test_clipping_keeps_the_part_inside():
    square = np.array([[-10.0, 20], [30, 20], [30, 60], [-10, 60]])
    assert sorted(map(tuple, clip_polygon(square, 50).tolist())) == [(0, 20), (0, 50), (30, 20), (30, 50)]
    assert clip_polygon(square - 200, 50).shape == (0, 2)
