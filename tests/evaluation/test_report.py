import pytest

from assay.evaluation.classification import score
from assay.evaluation.comparison import compare
from assay.evaluation.plots import plot_confusion
from assay.evaluation.report import against_published, write_report
from assay.evaluation.sections import Section
from tests.evaluation.pages import TOP, check_alone, check_numbers_of_other_images, top

CLASSES = ["clean", "pit"]
PUBLISHED = {
    "accuracy": 0.9421,
    "f1": "about 94 %",
    "best_epoch": 22,
    "per_class": {"pit": {"recall": 0.9258}},
}


@pytest.fixture
def write(predictions, tmp_path):
    """Write a report of data with the given source and return its HTML."""

    def write(source: str, rows=None, **changes) -> str:
        scores = score(
            predictions.of("model") if rows is None else rows, CLASSES, routing=(0.75, 0.5), draws=100
        )
        plot_confusion(tmp_path / "confusion.png", scores["all"]["confusion"], CLASSES)
        arguments = {
            "title": "cherry: <EXP>",
            **top(source, weights="lite0", experiment="EXP-002A"),
            "scores": scores,
            "comparison": compare(predictions, "model", "baseline", CLASSES, draws=100),
            "published": PUBLISHED,
            "figures": [("Confusion", tmp_path / "confusion.png")],
        }
        write_report(tmp_path / "report.html", **arguments | changes)
        return (tmp_path / "report.html").read_text("utf-8")

    return write


def test_the_top_says_what_the_numbers_rest_on(write):
    html = write("sample")
    said = html.partition("<h2>")[0]
    for fact in (*TOP, "package: lite0", "EXP-002A", "n = 120"):
        assert fact in said
    assert "cherry: &lt;EXP&gt;" in html  # escaped, as every text from a file name or a label must be
    assert "beyond noise" in html


def test_sample_and_own_numbers_never_stand_beside_published_ones(write):
    check_numbers_of_other_images(write("sample"), write("own (modified sample)"), "94.21")


def test_original_numbers_do(write):
    html = write("original")
    assert "Sample data" not in html
    assert "94.21 %" in html and "recall of pit" in html and "the interval</td>" in html


def test_the_file_stands_alone(write):
    check_alone(write("sample"))


def test_a_collapse_is_the_first_thing_said(write, predictions):
    rows = predictions.of("model").assign(p_clean=0.9, p_pit=0.1)
    html = write("sample", rows=rows, warnings=["training stopped: the loss is not finite"])
    assert html.index("collapsed: every image is called clean") < html.index('headline">')
    assert "the loss is not finite" in html
    assert "precision/pit is undefined: pit is never predicted." in html


def test_a_stage_adds_parts_of_its_own(write, tmp_path):
    rows = [["<b>", "12.5 %"], ["all", "-0.3 points"]]
    html = write("sample", sections=[Section("Own part", "why", ["who", "how much"], rows)])
    own = html.partition("<h2>Own part</h2>")[2].partition("<figure>")[0]
    assert '<p class="note">why</p>' in own and '<th class="n">how much</th>' in own
    assert "<td>&lt;b&gt;</td>" in own and '<td class="n">-0.3 points</td>' in own


def test_no_comparison_no_table(write):
    assert "Against the baseline" not in write("sample", comparison=None)


def test_published_rows_keep_numbers_about_this_data_only(predictions):
    scores = score(predictions.of("model"), CLASSES, draws=100)["all"]
    rows = {row["metric"]: row for row in against_published(scores, PUBLISHED)}
    assert set(rows) == {"accuracy", "recall of pit"}  # not best_epoch, and no text
    low, high = scores["accuracy"]["low"], scores["accuracy"]["high"]
    assert rows["accuracy"]["within"] == (low <= 0.9421 <= high)
    own = {"accuracy": scores["accuracy"]["value"], "per_class": None}
    assert against_published(scores, own)[0]["within"]
    assert not against_published(scores, {"accuracy": 0.01})[0]["within"]
