"""Photos without a flight in their name join what they look like."""

import numpy as np
import pytest

from assay.data.visual_groups import look, name_by_look


def picture(colour, seed=0):
    noise = np.random.default_rng(seed).integers(-12, 12, (48, 48, 3))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


GREEN, BROWN, GREY = (60, 120, 50), (140, 100, 60), (128, 128, 128)


def looks(*colours):
    return np.stack([look(picture(colour, seed)) for seed, colour in enumerate(colours)])


def test_a_look_is_a_unit_vector_of_colours_and_not_of_places():
    one = picture(GREEN)
    assert np.linalg.norm(look(one)) == pytest.approx(1, abs=1e-5)
    assert look(one) @ look(one[::-1, ::-1].copy()) == pytest.approx(1, abs=1e-5)
    assert look(one) @ look(picture(BROWN)) < 0.3
    assert np.isfinite(look(np.zeros((48, 48, 3), np.uint8))).all()


def test_nameless_photos_join_the_flight_they_look_like_or_each_other():
    found = name_by_look(["a", "b", "", "", "", ""], looks(GREEN, BROWN, BROWN, GREY, GREY, GREEN), 0.5)
    assert found == ["a", "b", "b", "look 3", "look 3", "a"]


def test_named_flights_stay_apart_however_alike():
    assert name_by_look(["a", "b"], looks(GREEN, GREEN), 0.9) == ["a", "b"]
    assert name_by_look(["a", "b", ""], looks(GREEN, GREEN, GREEN), 0.9)[:2] == ["a", "b"]


def test_nothing_alike_stays_alone():
    assert name_by_look(["", ""], looks(GREEN, GREY), 0.05) == ["look 0", "look 1"]
    assert name_by_look([""], looks(GREEN), 0.05) == ["look 0"]
    assert name_by_look([], np.empty((0, 1152), np.float32), 0.05) == []
