import pandas as pd
import pytest

from assay.evaluation.boxes import BOX_COLUMNS
from assay.evaluation.grouping import GroupingRule
from assay.evaluation.unmarked import count_on_pages, rates, unmarked_section

AT = {"qr": 0.5, "stamp": 0.2}


def box(image, label, left, score):
    return ("m", image, label, left, 0.0, left + 100.0, 100.0, score)


@pytest.fixture
def counted():
    boxes = [
        *(box("a", "stamp", 0, 0.9), box("a", "stamp", 30, 0.3)),  # one stamp, found twice
        *(box("a", "qr", 500, 0.4), box("a", "stamp", 700, 0.1)),  # both below their class's threshold
        box("c", "qr", 0, 0.6),
    ]
    pages = pd.DataFrame(
        {
            "image": [*"abc"],
            "group": ["x", "x", "y"],
            "width": 1000,
            "height": 1000,
            "taught": [False, False, True],
        }
    )
    return count_on_pages(
        pd.DataFrame(boxes, columns=list(BOX_COLUMNS)), pages, thresholds=AT, rule=GroupingRule()
    )


def test_boxes_are_counted_by_page_class_and_way(counted):
    assert counted["raw"].tolist() == [2, 0, 1] and counted["grouped"].tolist() == [1, 0, 1]
    assert counted["grouped_stamp"].tolist() == [1, 0, 0] and counted["raw_qr"].tolist() == [0, 0, 1]


def test_what_training_saw_stands_apart_and_intervals_are_exact(counted):
    seen = {(row["pages"], row["boxes"]): row for row in rates(counted, tuple(AT))}
    row = seen["of other documents", "raw"]
    assert (row["n"], row["documents"], row["false_positives"], row["pages_with_any"]) == (2, 1, 2, 1)
    assert row["value"] == 1 and (row["low"], row["high"]) == pytest.approx(
        (0.1211, 3.6123), abs=1e-3
    )  # Garwood
    assert seen["of documents it was taught with", "grouped"]["by_class"] == {"qr": 1, "stamp": 0}
    section = unmarked_section({"rows": list(seen.values()), "left_out": 1})
    assert [
        "of other documents",
        "2",
        "1",
        "grouped",
        "1",
        "0.50 (0.01 to 2.79)",
        "1",
        "stamp 1",
    ] in section.rows
    assert "1 more is left out" in section.note


def test_a_silent_detector_and_no_grouping(counted):
    pages = counted[["image", "group", "width", "height", "taught"]]
    silent = count_on_pages(pd.DataFrame(columns=list(BOX_COLUMNS)), pages, thresholds=AT, rule=None)
    assert silent["raw"].tolist() == [0, 0, 0] and "grouped" not in silent
    assert rates(silent, tuple(AT))[0]["low"] == 0
