"""The relational features: what the boxes of conditions.csv say, on drawn boxes, the sample and the originals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay.data.condition_features import (
    MISSED,
    RECOMPUTED,
    SAME,
    differences,
    feature_names,
    missed,
    relational,
)
from assay.data.conditions_table import BOX, FEATURES, read_conditions
from assay.sample import make_sample

ORIGINAL = Path(__file__).parents[2] / "data/infrastructure"
# of 1,257 rows: columns computed from boxes that are not published; each differs to one side only
DIFFER = {
    "distance_to_slope_drain": ("higher", 308),
    "near_slope_drain": ("lower", 109),
    "above_toe_drain": ("lower", 93),
    "overlap_rock_toe": ("lower", 141),
    "overlap_vegetation": ("lower", 238),
    "below_slope_drain": ("lower", 173),
}


def again(table):
    found = relational(
        table[list(BOX)].to_numpy(float),
        table["object_type"].tolist(),
        table["image"].tolist(),
        table["detector_confidence"].to_numpy(float),
        ~missed(table),
    )
    return table.assign(**{f"recomputed_{name}": values for name, values in found.items()})


def of(*boxes, **more):
    columns = [*BOX, "object_type", "detector_confidence"]
    return pd.DataFrame(boxes, columns=columns).assign(image="a", **more)


def values(table, name):
    return again(table)[f"recomputed_{name}"].round(6).tolist()


def test_distances_and_sides_are_to_the_nearest_drain():
    table = of(
        (0.0, 0.0, 0.2, 0.2, "slope_drain", 0.9),  # centre .1, .1
        (0.4, 0.4, 0.6, 0.6, "rock_toe", 0.9),
        (0.1, 0.8, 0.3, 1.0, "toe_drain", 0.9),
        (0.5, 0.5, 0.7, 0.7, "slope_drain", 0.9),  # centre .6, .6: the rock toe's nearest
    )
    # (.1, .1) apart, over the diagonal: .1
    assert values(table, "distance_to_slope_drain") == [0.0, 0.1, round(np.hypot(0.4, 0.3) / 2**0.5, 6), 0.0]
    assert values(table, "near_slope_drain") == [1.0, 1.0, 0.0, 1.0]
    assert values(table, "below_slope_drain") == [0.0, 1.0, 1.0, 1.0], "of any drain"
    assert values(table, "above_toe_drain") == [1.0, 1.0, 0.0, 1.0]


def test_an_overlap_is_the_highest_iou_and_a_box_overlaps_itself():
    table = of(
        (0.0, 0.0, 0.4, 0.4, "rock_toe", 0.9),
        (0.0, 0.0, 0.4, 0.2, "vegetation", 0.9),  # half of the rock toe
        (0.0, 0.1, 0.4, 0.2, "toe_drain", 0.9),
    )
    assert values(table, "overlap_rock_toe") == [1.0, 0.5, 0.25]
    assert values(table, "overlap_vegetation") == [0.5, 1.0, 0.5]


def test_what_the_detector_missed_is_measured_and_not_measured_against():
    drain = (0.0, 0.0, 0.2, 0.2, "slope_drain", MISSED)
    table = of(drain, (0.4, 0.4, 0.6, 0.6, "rock_toe", MISSED), (0.4, 0.4, 0.6, 0.6, "toe_drain", 0.4))
    assert missed(table).tolist() == [True, True, False]
    assert values(table, "distance_to_slope_drain") == [1.0, 1.0, 1.0]
    assert values(table, "overlap_rock_toe") == [0.0, 0.0, 0.0]
    assert values(table, "detector_confidence") == [0.5, 0.5, 0.4], "kept as it is: it is visible"


def test_another_photo_is_another_world():
    table = of((0.0, 0.0, 0.2, 0.2, "slope_drain", 0.9), (0.0, 0.5, 0.2, 0.7, "rock_toe", 0.9))
    apart = table.assign(image=["a", "b"])
    assert values(table, "below_slope_drain")[1] == 1.0 and values(apart, "below_slope_drain")[1] == 0.0


def test_no_box_gives_nine_empty_columns():
    found = relational(np.empty((0, 4)), [], [], np.empty(0), np.empty(0, bool))
    assert tuple(found) == FEATURES and all(len(column) == 0 for column in found.values())


def test_the_sample_keeps_to_the_definitions(tmp_path):
    data = make_sample("infrastructure", tmp_path)
    kinds = ("rock_toe", "slope_drain", "toe_drain", "vegetation")
    table = again(read_conditions(data / "conditions.csv", object_types=kinds, data=data)[0])
    apart = {row["feature"]: row["differ"] for row in differences(table)}
    assert apart == dict.fromkeys(FEATURES, 0) and missed(table).any()
    moved = table.assign(y_center=table["y_center"] + 2 * SAME)
    assert differences(moved)[0]["lower"] == len(table)


@pytest.mark.skipif(
    not (ORIGINAL / "merged_375/test").is_dir(),
    reason="the originals are not in data/; `make data SOURCE=original PROJECT=infrastructure` fetches them",
)  # their licence and size keep them out of the repository
def test_the_originals_agree_where_every_box_is_known():
    table = again(pd.read_csv(ORIGINAL / "conditions.csv"))
    assert len(table) == 1257 and missed(table).sum() == 169
    for row in differences(table):
        side, count = DIFFER.get(row["feature"], ("lower", 0))
        assert (row["differ"], row[side]) == (count, count), row["feature"]


def test_both_sets_can_be_chosen_with_either_origin():
    assert feature_names("recomputed") == list(RECOMPUTED)
    assert feature_names("both_recomputed")[9:] == list(RECOMPUTED) and len(feature_names("both")) == 18
