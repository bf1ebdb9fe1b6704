import pandas as pd

from assay.evaluation.sections import is_number, to_markdown
from assay.evaluation.sweep import (
    choices_section,
    ending,
    jobs_section,
    named,
    names_of,
    published_text,
    rows_of,
    sections_of,
    seeds_section,
)


def row(seed=1, *, accuracy=0.9, **changes):
    ends = {
        f"{name}{end}": shift
        for name in (
            "clean_minus_as_published",
            "clean_minus_as_published_without_leaks",
            "leaks_add",
            "leaks_add_as_published",
        )
        for end, shift in (("", -0.01), ("_low", -0.02), ("_high", 0.0))
    }
    return {
        **{"job": f"net seed {seed}", "variant": "net", "status": "ok", "weights": "random", "n": 1226},
        **{
            "accuracy": accuracy,
            "low": accuracy - 0.02,
            "high": accuracy + 0.02,
            "without_leaks": accuracy - 0.001,
        },
        **{"as_published": 0.91, "as_published_low": 0.89, "as_published_high": 0.93},
        **{"as_published_without_leaks": 0.909, "majority_share": 660 / 1226},
        **{"epoch": 3, "as_published_epoch": 7, "clean_minus_as_published_p": 0.04},
        **ends,
        **changes,
    }


def test_published_stands_beside_as_published():
    section = jobs_section([row(published=0.9192, comparable="yes")])
    cells = section.rows[0]
    assert section.header[5] == "as published" and cells[5].startswith("91.0 %") and cells[7] == "91.92 %"


def test_what_the_choices_add_is_shown_or_that_there_was_one_epoch():
    other, same = choices_section([row(), row(as_published_epoch=3)]).rows
    assert other[1:3] == ["3 / 7", "-1.0 points (-2.0 to +0.0)"] and other[4] == "0.04"
    assert same[1:5] == ["3 / 3", "the same epoch", "the same epoch", ""]


def test_a_collapse_is_named_wherever_a_number_of_it_is_shown():
    fallen = row(2, accuracy=660 / 1226, collapsed="every image is called clean")
    assert ending(fallen) == "COLLAPSED: every image is called clean" and named(fallen).endswith(
        "(COLLAPSED)"
    )
    pair = {"candidate": "net seed 2", "reference": "net seed 1", "candidate_only": 1, "reference_only": 2}
    pair |= {"accuracy_difference": {"value": 0.1, "low": 0.0, "high": 0.2}, "p_holm": 0.04, "verdict": "-"}
    text = "".join(map(to_markdown, sections_of([row(), fallen], [pair], [])))
    lines = [line for line in text.splitlines() if "net seed 2" in line]
    assert len(lines) == 3 and all("COLLAPSED" in line for line in lines)
    assert names_of([row(), fallen])["net"] == "net (1 of 2 COLLAPSED)"
    assert "2, 1 COLLAPSED" in text  # the seeds' mean rests on it


def test_a_majority_share_is_recognised_measured_and_published():
    assert ending(row(accuracy=660 / 1226)) == "clean: the share of the majority class (660 of 1226)"
    assert ending(row(same_as="b")).endswith("; the same as b in this profile")
    said = published_text(row(published=0.5383, comparable="no: random weights"))
    assert (
        said
        == "53.83 %, the share of the majority class (660 of 1226): collapsed (not comparable: random weights)"
    )
    assert published_text(row()) == ""


def test_seeds_are_a_mean_and_a_spread():
    shown = {"accuracy": "clean"}
    assert seeds_section([row()], shown) is None
    section = seeds_section([row(1, accuracy=0.9), row(2, accuracy=0.92), row(3, accuracy=0.94)], shown)
    assert section.rows[0][:3] == ["net", "3", "92.00 ± 2.00 % (90.00 to 94.00)"]
    other = row(1, variant="other")
    assert "(one seed)" in seeds_section([row(1), row(2), other], shown).rows[1][2]


def test_a_failed_job_has_no_numbers():
    failed = {"job": "net seed 1", "status": "failed", "error": "ValueError: on purpose"}
    sections = sections_of([failed], [], [])
    assert [section.title for section in sections] == ["Every job", "Failed jobs"]
    assert sections[0].rows[0][1] == "failed" and set(sections[0].rows[0][2:]) == {""}
    assert sections[1].rows == [["net seed 1", "ValueError: on purpose"]]


def test_empty_cells_are_no_cells():
    table = pd.DataFrame([{"job": "a", "collapsed": None, "ece": float("nan"), "n": 3}])
    assert rows_of(table) == [{"job": "a", "n": 3}]


def test_numbers_are_told_from_words():
    assert is_number("+1.2 points") and is_number("0.3") and not is_number("undefined") and not is_number("")


def test_a_number_without_an_interval_is_drawn_without_one(tmp_path):
    from math import isnan

    from assay.evaluation.sections import interval_of

    found = interval_of({"map50": 0.25}, "map50")
    assert found["value"] == 0.25 and isnan(found["low"]) and isnan(found["high"])
