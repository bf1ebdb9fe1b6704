import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.data.duplicates import BACKGROUND, HASH_BITS, cut_out, groups, hash_bits, near_pairs
from assay.sample.cherry_picture import Frame, draw


def pairs_of(pictures, max_distance=0.19):
    cutouts = [cut_out(picture) for picture in pictures]
    return near_pairs(cutouts, np.stack([hash_bits(cutout) for cutout in cutouts]), max_distance)


def test_cut_out_is_the_bounding_box_of_what_is_bright():
    image = np.zeros((128, 128, 3), np.uint8)
    image[20:50, 30:40, 2] = BACKGROUND + 1
    image[0, 0] = BACKGROUND
    assert cut_out(image).shape == (30, 10, 3)


def test_cut_out_of_black_is_the_whole_image():
    assert cut_out(np.zeros((128, 128, 3), np.uint8)).shape == (128, 128, 3)


def test_a_large_photo_is_made_small_first():
    assert cut_out(np.full((400, 600, 3), 80, np.uint8)).shape[1] == 128


def test_hash_does_not_depend_on_the_place_in_the_frame():
    picture = draw(11, pit=0.7)
    moved = np.roll(picture, (9, -12), axis=(0, 1))
    assert hash_bits(cut_out(picture)).shape == (HASH_BITS,)
    assert np.array_equal(hash_bits(cut_out(picture)), hash_bits(cut_out(moved)))


def test_the_next_frame_is_found_and_other_cherries_are_not():
    pictures = [draw(seed, pit=0.6) for seed in range(30)]
    pictures += [draw(seed, pit=0.6, frame=Frame((2, -3), 0.95, 1.05, noise=9)) for seed in (3, 17)]
    assert [(pair.first, pair.second) for pair in pairs_of(pictures)] == [(3, 30), (17, 31)]


def test_distance_zero_finds_equal_hashes_only():
    pictures = [draw(5, pit=0), draw(5, pit=0), draw(5, pit=0, frame=Frame((1, 0), 0.9, 1.1, noise=3))]
    assert [(pair.first, pair.second, pair.distance) for pair in pairs_of(pictures, 0.0)] == [(0, 1, 0.0)]


@pytest.mark.parametrize("value", [0, 90])
def test_flat_pictures_are_not_called_alike(value):
    # A hash has nothing to say about them, and a group of all blank pictures would be absurd.
    assert pairs_of([np.full((64, 64, 3), value, np.uint8)] * 3) == []


def test_pairs_across_blocks_of_the_distance_matrix(monkeypatch):
    monkeypatch.setattr("assay.data.duplicates._ROWS_AT_ONCE", 3)
    pictures = [draw(seed, pit=0.6) for seed in (0, 1, 2, 3, 4, 0, 6, 3)]
    assert [(pair.first, pair.second) for pair in pairs_of(pictures)] == [(0, 5), (3, 7)]


def test_groups_are_connected_components_named_by_their_lowest_index():
    assert groups(6, [(1, 4), (4, 5), (2, 3)]).tolist() == [0, 1, 2, 2, 1, 1]
    assert groups(3, []).tolist() == [0, 1, 2]


@settings(max_examples=50, deadline=None)  # time says nothing on a busy machine
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_groups_join_every_pair_and_name_themselves(pairs):
    result = groups(10, pairs)
    assert all(result[first] == result[second] for first, second in pairs)
    assert all(result[lowest] == lowest and lowest <= index for index, lowest in enumerate(result.tolist()))
