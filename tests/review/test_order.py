import json

import numpy as np
import pandas as pd
import pytest

from assay.review.order import choose, clusters, in_order, score, uncertainty


def frames(rows):
    """Rows (group, surprise) of clips; candidates are named a, b, c, …"""
    return pd.DataFrame(
        [
            {
                "candidate": chr(97 + n),
                "image": f"{n}",
                "group": group,
                "surprise": value,
                "fused_score_ema": value,
            }
            for n, (group, value) in enumerate(rows)
        ]
    )


TABLE = frames([("one", 0.9), ("one", 0.8), ("two", 0.5), ("two", 0.7), ("three", 0.1)])


def named(table):
    return "".join(table["candidate"])


def test_groups_take_turns_and_the_least_certain_come_first():
    assert named(in_order(TABLE, "surprise")) == "adebc"  # .9 .7 .1, then .8 .5
    assert named(in_order(TABLE, "uncertainty")) == "cdbae"  # |2s - 1|: 0 .4 .6 .8 .8
    assert sorted(named(in_order(TABLE, "random", seed=1))) == list("abcde")
    assert named(in_order(TABLE, "random", seed=1)) == named(in_order(TABLE, "random", seed=1))


def test_the_largest_cluster_comes_first_and_stays_together():
    assert named(in_order(TABLE.assign(cluster=[*"aacca"]), "cluster")) == "abedc"


def boxes(*scores):
    return json.dumps([{"label": "x", "box": [0, 0, 1, 1], "score": s, "origin": o} for s, o in scores])


@pytest.mark.parametrize(
    "table, expected",
    [
        ({"p_a": [0.5, 0.9], "p_b": [0.5, 0.1], "confidence": [0.5, 0.9]}, [1.0, 0.2]),
        (
            {
                "boxes": [boxes((0.9, "model"), (0.4, "mirrored")), boxes((None, "label"))],
                "confidence": [0.9, 0],
            },
            [0.8, 0.0],
        ),
    ],
    ids=["classes", "boxes"],
)
def test_uncertainty_is_of_the_nearest_to_undecided(table, expected):
    table = pd.DataFrame(table)
    assert uncertainty(table).tolist() == pytest.approx(expected)
    assert score(table).tolist() == table["confidence"].tolist()


def test_near_duplicates_are_found_within_a_group_and_a_chain_joins_no_ends():
    bits = {"0": 0, "1": 8, "2": 16, "3": 16, "4": 0}  # so many of 100 bits are set

    def hashed(image):
        return np.arange(100) < bits[image]

    assert clusters(TABLE, hashed, near=0.1) == ["a", "a", "c", "c", "e"]
    chain = frames([("one", 0.9)] * 3).assign(image=["0", "1", "2"])
    assert len(set(clusters(chain, hashed, near=0.1))) == 2  # 0 and 16 are not near each other
    assert len(set(clusters(chain, hashed, near=0.2))) == 1
    assert clusters(frames([("one", 0.9)] * 5).assign(image="0"), hashed, largest=2) == [
        "a",
        "a",
        "c",
        "c",
        "e",
    ]


def test_a_choice_is_by_score_by_label_by_number_and_by_chance():
    table = TABLE.assign(decided=["cones", "cones", "signs", "cones", "undecided"])
    assert named(choose(table, score_range=(0.5, 0.8))) == "bcd"
    assert named(choose(table, labels=["cones"], per_label=2)) == "ab"
    assert len(choose(table, size=3)) == 3 and named(choose(table, size=9)) == "abcde"
