import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest

from assay.review.answers import box_answers
from assay.review.session import Session


def decide(offered, answers, kind="human", reviewer="ann"):
    """Candidate number -> number of the answer (0 keep, 1 reject, 2 unsure, 3… categories)."""
    rows = offered.table().to_dict("records")
    one = Session(offered, reviewer, kind, "page")
    for number, answer in answers.items():
        one.decide(rows[number], box_answers(offered.labels, offered.classes)[answer], boxes=1)


@pytest.fixture
def refused(assay):
    def refused(*arguments):
        status, _, err = assay("review", *arguments)
        assert status == 2 and err.startswith("assay: ") and err.count("\n") == 1, err
        return err

    return refused


def test_review_says_what_waits_in_which_order_and_what_it_costs(offered, assay):
    decide(offered, {0: 0, 1: 2})
    decide(offered, {2: 0}, kind="model", reviewer="bot")
    status, out, _ = assay("review")
    assert status == 0
    assert (
        "workzone: 59 of 60 candidates wait for a person (1 unsure, 0 disputed): about 10 min at 10 s" in out
    )
    assert "assumed: no measured answers yet" in out and "the most surprising come first" in out
    assert "a model looked at 1" in out and "cherry" not in out
    best = offered.table().sort_values("surprise", ascending=False)["image"].iloc[0]
    assert best in out


def test_interactive_walks_through_a_sample_and_keeps_every_answer(offered, assay, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("k\nx\nz\n2\nhm\nk\nn\nu\n"))  # then the end of the input
    status, out, _ = assay("review", "--mode", "interactive", "--sample-size", 5, "--reviewer", "ann")
    assert status == 0 and "5 left" in out and "taken back: object" in out and "3 decisions recorded" in out
    said = [(d.label, d.objects, d.via) for d in offered.decisions()]
    assert said == [
        ("no_object", None, "terminal"),
        ("roadside_signs", False, "terminal"),
        ("unsure", None, "terminal"),
    ]


def test_export_copies_what_was_decided_and_lists_what_is_to_be_labelled(offered, assay):
    decide(offered, {0: 0, 1: 0, 2: 0, 10: 1, 20: 3, 30: 8})
    decide(offered, {40: 0}, kind="model", reviewer="bot")
    status, out, _ = assay("review", "--mode", "export", "--max-per-cat", 2)
    assert status == 0 and "2 no_object, 1 object, 1 random_cones, 1 work_zone" in out
    folder = Path("runs/review/workzone/export")
    table = pd.read_csv(folder / "manifest.csv")
    assert len(list(folder.glob("*/*.jpg"))) == len(table) == 5  # the model's answer is none of them
    to_label = pd.read_csv(folder / "to_annotate.csv")
    assert sorted(to_label["decided"]) == ["object", "random_cones", "work_zone"]
    assert all((folder / name).is_file() for name in to_label["file"]) and "cone" in to_label["boxes"][0]


def test_a_score_range_chooses_and_decides_nothing(offered, assay):
    decide(offered, dict.fromkeys(range(60), 0))
    arguments = ("--mode", "export", "--score-range", 0.55, 0.65, "--category", "no_object")
    wanted = offered.table()["fused_score_ema"].between(0.55, 0.65).sum()
    assert f"{wanted} no_object" in assay("review", *arguments)[1] and wanted > 0
    out = assay("review", *arguments[:-1], "orange_trucks")[1]
    assert "no picture: nobody has decided so yet" in out


def test_the_manifest_holds_every_candidate(offered, assay):
    decide(offered, {3: 0})
    assert "60 candidates, 1 of them decided" in assay("review", "--mode", "manifest", "--out", "m.csv")[1]
    with Path("m.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 60 and all(Path(row["picture"]).is_file() for row in rows)
    assert [row["use"] for row in rows if row["decided"] != "undecided"] == ["negative"]


def test_stats_say_who_decided_what_and_whether_they_agree(offered, assay):
    decide(offered, {0: 0, 1: 1, 2: 0})
    decide(offered, {0: 0, 1: 0, 2: 0}, kind="model", reviewer="bot")
    out = assay("review", "--mode", "stats")[1]
    assert "decisions by human: ann 3 (3 looks)" in out and "decisions by model: bot 3" in out
    assert "hard negatives: 2; to be labelled: 1" in out
    assert "ann (human) and bot (model): 67% the same on 3" in out and "kappa 0.00" in out
    assert "near-duplicates answered together: 12 looks" in out


def test_sample_shows_the_scores_and_a_few_names(offered, assay):
    out = assay("review", "sample", "project=workzone", "--sample-size", 3)[1]
    assert "60 candidates, score 0." in out and out.count(".jpg") == 3 and "█" in out


def test_consolidate_brings_two_machines_together(offered, more, assay):
    out = assay("review", "consolidate", "workzone", more, "--out", "all")[1]
    assert "67 candidates, as many pictures; 3 were there more than once" in out
    table = pd.read_parquet("all/candidates.parquet")
    assert len(list(Path("all/pictures").iterdir())) == len(table) == 67 == table["file"].nunique()
    assert table["candidate"].is_unique


def test_what_somebody_else_put_there_stays(offered, more, refused):
    decide(offered, {0: 0})
    Path("mine").mkdir()
    Path("mine/precious.txt").write_text("mine")
    for arguments in (("--mode", "export"), ("consolidate", "workzone", more)):
        assert "mine: holds something else" in refused(*arguments, "--out", "mine")
        assert "precious.txt: is a file" in refused(*arguments, "--out", "mine/precious.txt")
    candidates = Path(offered.build) / "candidates"
    before = sorted(candidates.rglob("*"))
    assert "holds pictures that are to be copied" in refused("consolidate", "--out", candidates)
    assert Path("mine/precious.txt").read_text() == "mine" and sorted(candidates.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--mode", "export", "--category", "trucks"], "--category trucks: expected one of random_cones"),
        (["--mode", "export", "--score-range", "0.8", "0.2"], "the lower first"),
        (["--mode", "interactive"], "--reviewer: empty"),
        (["--mode", "interactive", "--category", "work_zone"], "asks about what is undecided"),
        (["--mode", "stats", "--project", "cherry"], "run `dvc repro mine@cherry`"),
        (["--project", "wrkzone"], "did you mean 'workzone'"),
        (["consolidate", "workzone", "nowhere"], "nowhere/candidates.parquet: no such file"),
        (["page", "cherry"], "run `dvc repro mine@cherry`"),
    ],
)
def test_a_mistake_is_one_line(offered, refused, arguments, message):
    assert message in refused(*arguments)


def test_nothing_mined_is_said(tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    assert "nothing was mined yet" in refused()


def test_a_table_may_say_unsure_and_that_no_object_shows(offered, assay):
    table = "image,label\nclip_0/clip_0_f000000.jpg,no_object\nclip_0/clip_0_f000001.jpg,unsure\n"
    Path("t.csv").write_text(table)
    status, _, err = assay("review", "record", "workzone", "t.csv", "--reviewer", "ann", "--kind", "human")
    assert (status, err) == (0, "")
    lines = map(json.loads, (offered.folder / "ann.jsonl").read_text().splitlines())
    assert [(line["label"], line["via"]) for line in lines] == [("no_object", "table"), ("unsure", "table")]
