from assay.evaluation.page_sections import folds_section, grouping_section, robustness_section

RULE = {"drop_contained": 0.75, "distance": 50, "page_side": 1024, "iou": 0.2, "containment": 0.6}


def interval(value):
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def rates(value):
    return {metric: {"micro": interval(value)} for metric in ("precision", "recall", "f1")}


def test_boxes_before_and_after_grouping_stand_below_each_other():
    ways = {
        "raw": {"boxes": 14, "objects": {"qr": 2, "stamp": 3}, **rates(0.4)},
        "grouped": {"boxes": 6, "objects": {"qr": 2, "stamp": 3}, **rates(0.8)},
    }
    section = grouping_section({"rule": RULE, "splits": {"val": ways}})
    assert section.rows == [
        ["val", "raw", "14", "5", *["40.0 % (30.0 to 50.0)"] * 3],
        ["val", "grouped", "6", "5", *["80.0 % (70.0 to 90.0)"] * 3],
    ]
    assert "nearer than 50 px on a page 1024 px long" in section.note
    plain = grouping_section({"rule": RULE | {"page_side": None}, "splits": {}})
    assert "nearer than 50 px, they" in plain.note


def test_every_condition_is_a_row_below_the_pages_as_they_are():
    def part(value):
        whole = {"split": "val", "n": 8, "map50": interval(value), "map50_95": interval(value / 2)}
        return whole | rates(value)

    found = {"faded": ("faded", part(0.3)), "dpi_75": ("75 DPI", part(0.5))}
    section = robustness_section(part(0.7), found)
    assert [row[0] for row in section.rows] == ["as they are", "faded", "75 DPI"]
    assert section.rows[1][1:3] == ["8", "30.0 % (20.0 to 40.0)"] and len(section.rows[0]) == len(
        section.header
    )


def test_folds_have_a_mean_and_its_spread():
    def part(value):
        return {"n": 4, "groups": 3, "map50": interval(value), "map50_95": interval(value), **rates(value)}

    section = folds_section([part(0.4), part(0.6)])
    assert section.note.startswith("Mean over the folds: mAP50 50.0 % (standard deviation 14.1)")
    assert [row[:4] for row in section.rows] == [
        ["0", "4", "3", "40.0 % (30.0 to 50.0)"],
        ["1", "4", "3", "60.0 % (50.0 to 70.0)"],
    ]
