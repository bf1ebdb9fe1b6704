from math import nan

from assay.evaluation.generated_curve import curve_section


def interval(value, low=nan, high=nan):
    return {"value": value, "low": low, "high": high}


def part(map50, signature):
    return {
        "classes": ["signature", "stamp"],
        "not_scored": {"stamp": "no object"},
        "map50": map50,
        "map50_95": interval(0.3),
        "ap50": {"signature": signature},
    }


def test_the_curve_is_in_order_and_leaves_out_what_was_not_scored(tmp_path):
    found = [
        (20.0, 1020, part(interval(0.7, 0.6, 0.8), interval(0.65))),
        (0.0, 0, part(interval(0.5), interval(0.4))),
    ]
    section = curve_section(tmp_path, found, split="val")
    assert section.header[-1] == "AP50 signature" and len(section.header) == 5
    assert [row[:3] for row in section.rows] == [
        ["0", "0", "50.0 % (no interval)"],
        ["20", "1020", "70.0 % (60.0 to 80.0)"],
    ]
    assert (tmp_path / "generated.png").stat().st_size > 5000
