from collections import Counter

import numpy as np
import pytest

from assay.sample.road_backdrop import WEATHERS
from assay.sample.road_plan import THEMES, plan
from assay.sample.road_scene import render, scene

CLASSES = {
    "cone", "drum", "barricade", "barrier", "fence", "tubular_marker", "vertical_panel",
    "temporary_traffic_control_sign", "message_board", "arrow_board", "worker", "work_vehicle",
}  # fmt: skip


def _scenes(count, **arguments):
    rng = np.random.default_rng(5)
    return [scene(rng, (320, 180), **arguments) for _ in range(count)]


def test_one_seed_is_one_picture():
    one, other = scene(np.random.default_rng(3), (320, 180)), scene(np.random.default_rng(3), (320, 180))
    assert np.array_equal(one[0], other[0]) and one[1] == other[1]
    assert not np.array_equal(one[0], scene(np.random.default_rng(4), (320, 180))[0])


@pytest.mark.parametrize("size", [(160, 90), (321, 181), (640, 360)])
def test_a_picture_has_the_size_asked_for_and_its_boxes_lie_inside(size):
    rng = np.random.default_rng(1)
    for _ in range(6):
        picture, boxes = scene(rng, size, theme="work_zone")
        assert picture.shape == (size[1], size[0], 3) and picture.dtype == np.uint8
        for _, (left, top, right, low) in boxes:
            assert 0 <= left < right <= size[0] and 0 <= top < low <= size[1]


def test_a_work_zone_shows_every_class_sooner_or_later():
    seen = Counter(label for _, boxes in _scenes(70, theme="work_zone") for label, _ in boxes)
    assert set(seen) == CLASSES
    assert min(seen.values()) >= 5


def test_lookalikes_have_no_boxes_and_stored_cones_only_cones():
    for theme in set(THEMES) - {"work_zone", "random_cones"}:
        assert all(not boxes for _, boxes in _scenes(6, theme=theme)), theme
    labels = {label for _, boxes in _scenes(20, theme="random_cones") for label, _ in boxes}
    assert labels == {"cone"}


def test_boxes_hold_what_is_drawn():
    """Taking the objects away changes pixels inside their boxes and next to nowhere else."""
    for seed in range(4):
        whole = plan(np.random.default_rng(seed), theme="random_cones", weather="clear")
        empty = whole.__class__(**{**whole.__dict__, "things": tuple(t for t in whole.things if not t.label)})
        with_cones, shown = render(whole, (640, 360), z=0, noise=False)
        without, _ = render(empty, (640, 360), z=0, noise=False)
        changed = (with_cones != without).any(axis=2)
        inside = np.zeros_like(changed)
        for thing in shown:
            left, top, right, low = thing.xyxy
            margin = 2 + 0.5 * (right - left)  # the shadow is no part of the box
            inside[
                int(max(top - 2, 0)) : int(low + margin), int(max(left - margin, 0)) : int(right + margin)
            ] = True
        assert changed.any() and not (changed & ~inside).any()


def test_driving_on_makes_objects_larger_until_they_are_behind():
    """One cone of a plain road: its box grows while the camera comes nearer, then it is gone."""
    for seed in range(30):
        planned = plan(np.random.default_rng(seed), theme="random_cones", weather="overcast")
        cones = [thing for thing in planned.things if thing.label]
        planned = planned.__class__(
            **{
                **planned.__dict__,
                "bend": 0.0,
                "things": (cones[0].__class__(**{**cones[0].__dict__, "x": 4.0, "z": 40.0}),),
            }
        )
        heights = []
        for z in (0, 15, 25, 32):
            (cone,) = render(planned, (320, 180), z=z, noise=False)[1]
            heights.append(cone.xyxy[3] - cone.xyxy[1])
        assert heights == sorted(heights) and heights[-1] > 4 * heights[0]
        assert render(planned, (320, 180), z=41, noise=False)[1] == []
        return


@pytest.mark.parametrize("weather", list(WEATHERS))
def test_every_weather_is_drawn_and_differs_from_clear(weather):
    def drawn(name):
        return render(plan(np.random.default_rng(8), theme="plain", weather=name), (160, 90), z=0)[0]

    assert drawn(weather).std() > 5
    assert weather == "clear" or not np.array_equal(drawn(weather), drawn("clear"))


def test_a_car_behind_a_lorry_hides_nothing_but_a_near_lorry_hides_a_cone():
    planned = plan(np.random.default_rng(2), theme="random_cones", weather="clear")
    cone = next(thing for thing in planned.things if thing.label)
    lorry = cone.__class__("lorry", 1.75, 8.0, extent=(2.5, 3.6, 8.0))
    behind = cone.__class__(**{**cone.__dict__, "x": 1.75, "z": 40.0})
    fields = {**planned.__dict__, "bend": 0.0, "camera_x": 1.75}
    alone = planned.__class__(**{**fields, "things": (behind,)})
    hidden = planned.__class__(**{**fields, "things": (behind, lorry)})
    assert [thing.label for thing in render(alone, (320, 180), z=0)[1]] == ["cone"]
    assert render(hidden, (320, 180), z=0)[1] == []
