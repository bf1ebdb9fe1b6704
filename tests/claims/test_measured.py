from pathlib import Path

import pytest

from assay.claims.measured import answers, read_results
from assay.errors import UserError
from tests.claims.helpers import claim

SWEEP = "job,experiment,profile,accuracy,low,high,n,source,weights,published,comparable"
METRICS = ("map50", "map50_95", "precision", "recall")
DETECTOR = ",".join(["split,class,images", *(f"{one},{one}_low,{one}_high" for one in METRICS)])
SETS = {"val": {"title": "the validation images", "n": 1226, "split": "val"}}


@pytest.fixture
def results(tmp_path):
    """Write tables of results/ and read them back."""

    def results(**tables):
        for name, rows in tables.items():
            path = tmp_path / "results" / name.replace("__", "/").replace("_minus_", "-")
            path = path.with_suffix(".csv")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(rows) + "\n")
        return read_results(tmp_path / "results")

    return results


def sweep_row(accuracy=0.91, source="original", comparable="yes", experiment="resnet18", n=1226):
    return f"j,{experiment},full,{accuracy},{accuracy - 0.02},{accuracy + 0.02},{n},{source},download,0.9192,{comparable}"


def answer(book, rows, written="91.92%", **others):
    books = book(
        {"a": claim(written, metric="accuracy", experiment="resnet18", set="val") | others}, sets=SETS
    )
    found = answers(books, rows).get("900/a", [])
    return [(one.answers(books.written["900/a"]), one.why_not) for one in found]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (sweep_row(0.91), ("reproduced", "")),
        (sweep_row(0.89), ("not reproduced", "")),
        (sweep_row(comparable="no: random weights"), ("not comparable", "random weights")),
        (sweep_row(comparable=""), ("not comparable", "not said")),  # silence is no permission
        (sweep_row(source="sample"), ("not comparable", "sample data")),
        (sweep_row(source="own"), ("not comparable", "own data")),
        (sweep_row(n=600), ("not comparable", "600 other images")),
        (sweep_row().replace("0.89,0.93", ","), ("not comparable", "no interval")),  # one group alone
    ],
)
def test_only_what_may_be_compared_is_compared(book, results, row, expected):
    assert answer(book, results(cherry__x=[SWEEP, row])) == [expected]


@pytest.mark.parametrize(("written", "expected"), [("~91%", "reproduced"), ("91.0%", "not reproduced")])
def test_what_a_published_number_s_rounding_leaves_open_is_held_against_the_interval(
    book, results, written, expected
):
    """The interval ends at 90.49 %."""
    rows = results(cherry__x=[SWEEP, sweep_row(0.8849)])
    assert [found for found, _ in answer(book, rows, written)] == [expected]


@pytest.mark.parametrize(
    ("epochs", "why"), [("7,7", "no interval"), ("7,9", "of another epoch than the published; no interval")]
)
def test_f1_is_read_and_its_lack_of_an_interval_said(book, results, epochs, why):
    header = SWEEP + ",as_published,epoch,as_published_epoch,f1_macro"
    rows = results(cherry__x=[header, sweep_row(0.80) + f",0.92,{epochs},0.91"])
    assert [(one.metric, one.value) for one in rows] == [("accuracy", 0.92), ("f1", 0.91)]
    assert answer(book, rows, "0.9186", metric="f1") == [("not comparable", why)]


def test_a_number_of_another_experiment_answers_nothing(book, results):
    rows = results(cherry__x=[SWEEP, sweep_row(experiment="resnet50")])
    assert answer(book, rows) == []
    assert answer(book, results(cherry__x=[SWEEP, sweep_row()]), kind="target") == []


def test_a_sweep_s_variant_of_an_experiment_answers_nothing(book, results):
    rows = results(cherry__x=[f"{SWEEP},changed", f"{sweep_row(0.91)},train.lr=0.5", f"{sweep_row(0.90)},"])
    assert [one.value for one in rows] == [0.90] and len(answer(book, rows)) == 1


def test_a_number_whose_images_the_document_does_not_name_is_not_comparable(book, results):
    books = book({"a": claim("91.92%", metric="accuracy", experiment="resnet18")})
    ((one,),) = answers(books, results(cherry__x=[SWEEP, sweep_row()])).values()
    assert one.comparable == "the document does not say on which images"


def test_the_epoch_chosen_as_published_is_what_a_published_number_is_compared_with(book, results):
    header = SWEEP + ",as_published"
    (one,) = results(cherry__x=[header, sweep_row(0.80) + ",0.92"])
    assert one.value == 0.92
    assert one.low == pytest.approx(0.9034, abs=1e-3)  # Wilson's
    header += ",as_published_low,as_published_high"
    (one,) = results(cherry__x=[header, sweep_row(0.80) + ",0.92,0.91,0.93"])
    assert (one.low, one.high) == (0.91, 0.93)


ROW = "val,all,45,0.87,0.8,0.9,0.6,0.5,0.7,0.8,0.7,0.9,,,"
PAGE = "- model: yolo11s_epoch6, yolo11s at 640 px, seed 0; weights: "


@pytest.mark.parametrize(
    ("profile", "weights", "comparable"),
    [
        ("full", "download, ultralytics", ""),
        ("full", "file, weights/yolo11s.pt", "weights: file, not the official ones"),
        ("full", "random", "weights: random, not the official ones"),
        ("full", "", "weights: not said, not the official ones"),
        ("cpu", "download, ultralytics", "cpu profile, yolo11s_epoch6, yolo11s at 640 px"),
    ],
)
def test_a_detector_is_comparable_in_the_full_profile_from_official_weights(
    results, tmp_path, profile, weights, comparable
):
    page = tmp_path / f"results/infrastructure/yolo11s_epoch6-{profile}-original.md"
    page.parent.mkdir(parents=True)
    page.write_text(PAGE + weights + "\n")
    found = results(**{f"infrastructure__yolo11s_epoch6_minus_{profile}_minus_original": [DETECTOR, ROW]})
    assert {one.metric for one in found} == {"map50", "map50_95", "precision"}  # recall is undefined there
    assert {(one.comparable, one.weights) for one in found} == {(comparable, weights)}


def test_a_detector_on_another_split_answers_its_experiment_and_is_not_comparable(results, tmp_path):
    page = tmp_path / "results/infrastructure/yolo11s_epoch6-full-kfold-0-original.md"
    page.parent.mkdir(parents=True)
    page.write_text(PAGE + "download, ultralytics\n")
    table = "infrastructure__yolo11s_epoch6_minus_full_minus_kfold_minus_0_minus_original"
    found = results(**{table: [DETECTOR, ROW]})
    assert {(one.experiment, one.profile, one.source) for one in found} == {
        ("yolo11s_epoch6", "full", "original")
    }
    assert {one.comparable for one in found} == {"another split: kfold-0"}
    assert {one.job for one in found} == {"yolo11s_epoch6, kfold-0 split"}


JOBS = ",".join(
    ["job,experiment,profile,source,split,n,test_n,weights,weights_root,published,comparable"]
    + [f"{part}map50,{part}map50_low,{part}map50_high" for part in ("", "test_")]
)


def test_jobs_of_a_detection_sweep_are_read_on_both_sets_of_images(results):
    job = "yolo11s_best seed 0,yolo11s_best,full,original,val,45,25,experiment,download,86.08"
    rows = [
        f"{job},yes,0.8,0.7,0.9,0.6,0.5,0.7",
        f"{job},no: train.epochs 9 -> 1,0.8,0.7,0.9,,,",
        job + "," * 7,
    ]
    found = results(infrastructure__yolo_evolution=[JOBS, *rows])
    assert [(one.split, one.value, one.images, one.comparable) for one in found] == [
        ("val", 0.8, 45, ""),
        ("test", 0.6, 25, ""),
        ("val", 0.8, 45, "train.epochs 9 -> 1"),  # its test images were not scored; the third job failed
    ]
    assert {(one.metric, one.experiment, one.weights, one.low, one.high) for one in found[::2]} == {
        ("map50", "yolo11s_best", "download", 0.7, 0.9)
    }


def test_other_tables_are_left_alone_and_broken_ones_named(results):
    assert results(workzone__mining=["clip,frames", "boston,226"]) == []
    with pytest.raises(UserError, match=r"broken\.csv: not a table of results"):
        results(cherry__broken=[SWEEP, sweep_row().replace("0.91", "much")])


def test_the_shipped_tables_are_read():
    found = read_results(Path("results"))
    assert {"resnet18", "yolo11s_expanded"} <= {one.experiment for one in found}
