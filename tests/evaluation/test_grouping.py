"""Grouping: the two passes by example, and what holds for any boxes in any order."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.evaluation import grouping
from assay.evaluation.boxes import BOX_COLUMNS
from assay.evaluation.grouping import GroupingRule, group_boxes, group_table
from benchmarks.grouping import boxes, found, obvious

RULE = GroupingRule(page_side=None)


def group(*rows, rule=RULE):
    """rows: (x1, y1, x2, y2, class, confidence)."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return group_boxes(table[:, :4], table[:, 4].astype(int), table[:, 5], rule)


def test_no_boxes_are_no_groups():
    none = group()
    assert (none.xyxy.shape, none.merged_count.shape, none.member_of.shape) == ((0, 4), (0,), (0,))


def test_a_box_mostly_inside_a_surer_one_goes():
    groups = group((0, 0, 400, 200, 1, 0.9), (0, 0, 100, 100, 1, 0.8))
    assert groups.xyxy.tolist() == [[0, 0, 400, 200]]
    assert (groups.merged_count.tolist(), groups.member_of.tolist()) == ([1], [0, -1])


def test_a_surer_box_inside_does_not_remove_the_one_around_it_but_is_joined_with_it():
    groups = group((0, 0, 400, 200, 1, 0.8), (0, 0, 100, 100, 1, 0.9))
    assert groups.xyxy.tolist() == [[0, 0, 400, 200]]
    assert (groups.confidence.tolist(), groups.merged_count.tolist()) == ([0.9], [2])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_equally_sure_boxes_the_larger_stays(order):
    rows = [(0, 0, 400, 200, 1, 0.8), (0, 0, 100, 100, 1, 0.8)]
    groups = group(*(rows[k] for k in order))
    assert groups.xyxy.tolist() == [[0, 0, 400, 200]]
    assert groups.merged_count.tolist() == [1]


def test_of_two_equal_boxes_one_stays():
    assert group(*[(0, 0, 9, 9, 1, 0.5)] * 2).merged_count.tolist() == [1]


@pytest.mark.parametrize(
    ("second", "joined"),
    [
        ((149, 0, 249, 40), False),  # centres 149 px apart, no overlap
        ((49.9, 100, 149.9, 140), False),  # 111 px
        ((30, 39.9, 130, 79.9), True),  # 49.9 px
        ((30, 40, 130, 80), False),  # 50 px is not nearer than 50
        ((66, 0, 166, 40), True),  # IoU 34 / 166 = .205
        ((67, 0, 167, 40), False),  # IoU 33 / 167 = .198
    ],
)
def test_what_is_joined(second, joined):
    groups = group((0, 0, 100, 40, 1, 0.9), (*second, 1, 0.8))
    assert groups.merged_count.tolist() == ([2] if joined else [1, 1])


def test_containment_joins_a_small_box_that_lies_mostly_in_a_large_one():
    """61 of 100 px² in the other; IoU .0061, centres 450 px apart."""
    row = (993.9, 0, 1003.9, 10, 1, 0.9)
    assert group((0, 0, 1000, 10, 1, 0.8), row).merged_count.tolist() == [2]
    assert group((0, 0, 1000, 10, 2, 0.8), row).merged_count.tolist() == [1, 1]  # another class


def test_joining_is_transitive():
    groups = group(*((k * 45.0, 0, k * 45.0 + 10, 10, 0, 0.5 + k / 100) for k in range(9)))
    assert groups.xyxy.tolist() == [[0, 0, 370, 10]]
    assert (groups.confidence.tolist(), groups.merged_count.tolist()) == ([0.58], [9])


def test_the_distance_belongs_to_a_page_size():
    rule = GroupingRule(distance=50, page_side=1024)
    assert rule.on_page(1024, 700).distance == 50
    assert rule.on_page(2048, 1400).distance == 100
    assert GroupingRule(distance=50, page_side=None).on_page(2048, 1400).distance == 50
    with pytest.raises(ValueError, match="call on_page first"):
        group((0, 0, 9, 9, 1, 0.5), rule=rule)


def test_shapes_that_do_not_belong_together():
    with pytest.raises(ValueError, match=r"\(N, 4\), \(N,\), \(N,\)"):
        group_boxes(np.zeros((2, 4)), np.zeros(3, int), np.zeros(2), RULE)


def test_a_table_is_grouped_image_by_image_from_the_threshold_on():
    rows = [
        ("m", "a", "seal", 0, 0, 20, 20, 0.9),
        ("m", "a", "seal", 30, 0, 50, 20, 0.5),
        ("m", "a", "seal", 60, 0, 80, 20, 0.1),  # too unsure, so it does not reach the others
        ("m", "a", "sign", 30, 0, 50, 20, 0.3),
        ("m", "b", "seal", 0, 0, 20, 20, 0.4),
        ("m", "large", "seal", 0, 0, 20, 20, 0.9),
        ("m", "large", "seal", 90, 0, 110, 20, 0.5),  # 90 px are 45 px of the rule's page
        ("m", "elsewhere", "seal", 0, 0, 20, 20, 0.9),
    ]
    images = pd.DataFrame(
        [("a", 100, 80), ("b", 100, 80), ("large", 200, 160), ("empty", 100, 80)],
        columns=["image", "width", "height"],
    )
    found = group_table(
        pd.DataFrame(rows, columns=list(BOX_COLUMNS)),
        images,
        thresholds={"seal": 0.2, "sign": 0.3},
        rule=GroupingRule(page_side=100),
    )
    assert found.drop(columns="model").to_numpy().tolist() == [
        ["a", "seal", 0, 0, 50, 20, 0.9, 2],
        ["a", "sign", 30, 0, 50, 20, 0.3, 1],
        ["b", "seal", 0, 0, 20, 20, 0.4, 1],
        ["large", "seal", 0, 0, 110, 20, 0.9, 2],
    ]
    nothing = group_table(pd.DataFrame(columns=list(BOX_COLUMNS)), images, thresholds={}, rule=GroupingRule())
    assert list(nothing.columns) == [*BOX_COLUMNS, "merged_count"] and nothing.empty


def some_boxes(draw, most):
    """Whole-number boxes on a small page, so that equal ones, equal edges and equal confidences turn up."""
    count = draw(st.integers(0, most))
    seed = draw(st.integers(0, 2**32 - 1))
    side = draw(st.sampled_from([60, 300, 3000]))
    rng = np.random.default_rng(seed)
    low = rng.integers(0, side, (count, 2))
    size = rng.integers(0 if rng.random() < 0.1 else 1, 120, (count, 2))
    xyxy = np.concatenate([low, low + size], axis=1).astype(np.float32)
    return xyxy, rng.integers(-1, 3, count), (rng.integers(1, 6, count) / 8).astype(np.float32)


few = st.composite(some_boxes)(12)
many = st.composite(some_boxes)(70)


@settings(max_examples=50, deadline=None)
@given(few | many)
def test_both_ways_give_what_two_double_loops_give(page):
    expected = obvious(*page, RULE)
    for threshold in (0, 1000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(grouping, "SWEEP_FROM", threshold)
            if len(page[0]):  # the sweep is never asked for nothing
                assert found(page, RULE) == expected


@settings(max_examples=25, deadline=None)
@given(few | many, st.integers(0, 2**32 - 1))
def test_the_order_of_the_boxes_changes_nothing(page, seed):
    order = np.random.default_rng(seed).permutation(len(page[0]))
    before, after = (group_boxes(*part, RULE) for part in (page, tuple(column[order] for column in page)))
    for field in ("xyxy", "class_id", "confidence", "merged_count"):
        np.testing.assert_array_equal(getattr(before, field), getattr(after, field))
    rows = np.column_stack([page[0], page[1], page[2]])
    twins = len(np.unique(rows, axis=0)) < len(rows)  # which of two equal boxes is dropped can't be told
    if not twins:
        np.testing.assert_array_equal(before.member_of[order], after.member_of)


@settings(max_examples=25, deadline=None)
@given(few | many, st.sampled_from([0.25, 0.5, 2, 8]))
def test_a_page_at_another_scale_is_grouped_alike(page, scale):
    rule = GroupingRule(page_side=1024)
    before = group_boxes(*page, rule.on_page(1024, 512))
    after = group_boxes(page[0] * scale, *page[1:], rule.on_page(int(1024 * scale), int(512 * scale)))
    np.testing.assert_array_equal(before.member_of, after.member_of)
    np.testing.assert_array_equal(before.xyxy * scale, after.xyxy)


@settings(max_examples=25, deadline=None)
@given(few | many)
def test_a_group_is_the_union_of_its_members(page):
    xyxy, class_id, confidence = page
    groups = group_boxes(*page, RULE)
    assert np.bincount(groups.member_of[groups.member_of >= 0]).tolist() == groups.merged_count.tolist()
    for k, box in enumerate(groups.xyxy):
        inside = groups.member_of == k
        assert box.tolist() == [*xyxy[inside, :2].min(axis=0), *xyxy[inside, 2:].max(axis=0)]
        assert set(class_id[inside]) == {groups.class_id[k]}
        assert groups.confidence[k] == confidence[inside].max()
    assert (np.diff(groups.confidence) <= 0).all()


def test_thousands_of_boxes_on_each_other_are_compared_in_blocks(monkeypatch):
    monkeypatch.setattr(grouping, "_PAIRS_AT_ONCE", 100)
    page = boxes(200)
    assert found(page) == obvious(*page, GroupingRule().on_page(1654, 2339))
