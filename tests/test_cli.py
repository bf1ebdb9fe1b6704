import csv
import json
import shutil
from pathlib import Path

import pytest
import yaml

from assay.sample import cherry

PARAMS = {
    "profile": "demo",
    "projects": {"cherry": {"experiment": "resnet18", "task": "classification", "data": "cherry"}},
    "sweeps": {"convnextv2": {"project": "cherry"}},
}


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(PARAMS))
    return tmp_path


@pytest.fixture
def refused(assay):
    """Call it with a mistake; the one line."""

    def refused(*arguments):
        status, out, err = assay(*arguments)
        assert (status, out) == (2, "") and err.startswith("assay: ") and err.count("\n") == 1, err
        return err

    return refused


@pytest.mark.parametrize(
    "command",
    [
        [],
        *(["data"], ["status"], ["review"], ["review", "record"]),
        *(
            ["registry"],
            ["registry", "sync"],
            ["registry", "ui"],
            ["sweep"],
            ["sweep", "request"],
            ["sweep", "publish"],
        ),
    ],
    ids=" ".join,
)
def test_every_command_explains_itself(assay, command):
    status, out, err = assay(*command, "--help")
    assert (status, err) == (0, "") and "Usage: assay" in out and len(out.splitlines()) > 5


def test_review_says_what_it_does_without_a_mode(assay):
    assert "how many candidates wait" in " ".join(assay("review", "--help")[1].split())


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["frobnicate"], "frobnicate"),
        (["data", "--sauce", "sample"], "--sauce"),
        (["review", "record", "cherry"], "table"),
        (["review", "record", "cherry", "a.csv", "--reviewer", "ann", "--kind", "robot"], "sample-truth"),
        (["registry", "ui", "--port", "many"], "--port"),
    ],
)
def test_a_wrong_command_line_names_the_mistake_without_a_traceback(assay, arguments, named):
    status, out, err = assay(*arguments)
    assert (status, out) == (2, "") and named in err and "Traceback" not in err


# -- data


@pytest.fixture
def small_sample(monkeypatch):
    monkeypatch.setattr(cherry, "DISTINCT", {"train": 60, "val": 30, "pool": 5})


def test_data_is_made_where_there_is_none_and_stays(assay, small_sample):
    assert assay("data")[:2] == (0, "data/cherry: sample data made\n")
    Path("data/cherry/mine.txt").write_text("mine")
    assert assay("data")[:2] == (0, "data/cherry: is there and stays\n")
    assert Path("data/cherry/mine.txt").exists()
    assert assay("data", "--force")[0] == 0
    assert not Path("data/cherry/mine.txt").exists()


def test_an_empty_folder_is_filled(assay, small_sample):
    Path("data/cherry").mkdir(parents=True)
    assert assay("data", "--project", "cherry")[0] == 0
    assert yaml.safe_load(Path("data/cherry/SOURCE.yaml").read_text())["source"] == "sample"


def test_a_project_that_shares_a_folder_gets_its_data(assay):
    infrastructure = {"experiment": "x", "task": "condition", "data": "cherry"}
    Path("params.yaml").write_text(yaml.safe_dump(PARAMS | {"projects": {"conditions": infrastructure}}))
    assert assay("data", "--project", "conditions")[:2] == (0, "data/cherry: sample data made\n")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--source", "bogus"], "--source bogus: expected sample or original"),
        (["--project", "chery"], "'chery' has no sample data; there is one for: cherry, documents, infra"),
        (["--project", "conditions"], "'conditions' has no sample data"),
        (["--source", "original", "--mirror", "nowhere"], "nowhere"),
        (["--source", "original", "--project", "chery"], "chery"),
    ],
)
def test_data_that_cannot_be_had_is_one_line(refused, arguments, message):
    shutil.copytree(Path(__file__).parents[1] / "conf/origins", "conf/origins")
    assert message in refused("data", *arguments)
    assert not Path("data/cherry").exists()


@pytest.mark.parametrize("command", [["data"], ["status"], ["sweep", "request", "convnextv2"]], ids=" ".join)
@pytest.mark.parametrize(
    "text, message",
    [
        (None, "params.yaml: no such file here; run `assay` in the repository's root"),
        ("profile: [", "params.yaml: not readable as YAML"),
        ("profile: demo\n", "params.yaml: projects, sweeps missing"),
        ("", "params.yaml: profile, projects, sweeps missing"),
    ],
    ids=["none", "no yaml", "half", "empty"],
)
def test_a_lost_or_broken_params_file_is_one_line(refused, command, text, message):
    Path("params.yaml").unlink()
    if text is not None:
        Path("params.yaml").write_text(text)
    assert message in refused(*command)


# -- review record

OFFERED = {"train/cherry_pit/a b.png": "a" * 12, "pool/Süß.png": "b" * 12}


@pytest.fixture
def table(repository):
    """candidates.csv as the mine stage writes it, and a writer of decisions."""
    folder = Path("build/cherry/candidates")
    folder.mkdir(parents=True)
    rows = [{"candidate": candidate, "image": image, "label": "x"} for image, candidate in OFFERED.items()]
    with (folder / "candidates.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["candidate", "image", "label"])
        writer.writeheader()
        writer.writerows(rows)
    (folder / "mined_by.json").write_text('{"id": "0123"}')

    def table(text, encoding="utf-8"):
        Path("decisions.csv").write_bytes(text.encode(encoding))
        return "decisions.csv"

    return table


def record(*arguments, kind="human", reviewer="ann"):
    return ["review", "record", *arguments, "--reviewer", reviewer, "--kind", kind]


GOOD = "image,label,note\ntrain/cherry_pit/a b.png,maybe,dark\npool/Süß.png,cherry_clean,\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])  # the second is how a spreadsheet saves it
def test_decisions_are_recorded(assay, table, encoding):
    status, out, _ = assay(*record("cherry", table(GOOD, encoding)))
    assert status == 0 and "2 decisions recorded" in out
    first, second = map(json.loads, Path("reviews/cherry/ann.jsonl").read_text("utf-8").splitlines())
    assert first["candidate"] == "a" * 12 and first["label"] == "maybe" and first["note"] == "dark"
    assert second["image"] == "pool/Süß.png" and second["kind"] == "human" and second["at"]


def test_recording_again_appends(assay, table):
    assay(*record("cherry", table(GOOD)))
    before = Path("reviews/cherry/ann.jsonl").read_bytes()
    assert assay(*record("cherry", table(GOOD)))[0] == 0
    assert Path("reviews/cherry/ann.jsonl").read_bytes().startswith(before)
    assert len(Path("reviews/cherry/ann.jsonl").read_text("utf-8").splitlines()) == 4


@pytest.mark.parametrize(
    "text, message",
    [
        (
            "image,label\npool/Süß.png,cherry_pits\n",
            "row 2: label 'cherry_pits' is none of cherry_clean, maybe",
        ),
        ("image,label\npool/x.png,maybe\n", r"row 2: pool/x.png is no candidate"),
        ("file,label\npool/Süß.png,maybe\n", "row 2: needs the columns image and label, has file, label"),
        (GOOD + "pool/Süß.png,\n", "row 4: needs the columns"),
        ("image,label\n", "no rows"),
        ("", "no rows"),
    ],
)
def test_one_wrong_row_records_nothing(refused, table, text, message):
    assert message in refused(*record("cherry", table(text)))
    assert not Path("reviews").exists()


def test_a_table_in_another_encoding_is_one_line(refused, table):
    assert "not a CSV file in UTF-8" in refused(*record("cherry", table(GOOD, "latin-1")))
    assert not Path("reviews").exists()


def test_what_is_missing_is_named_with_the_way_to_it(refused, table):
    assert "none.csv: no such file; name a CSV file" in refused(*record("cherry", "none.csv"))
    assert "did you mean 'cherry'" in refused(*record("chery", table(GOOD)))
    assert "reviewer: empty" in refused(*record("cherry", table(GOOD), reviewer=""))
    Path("build/cherry/candidates/candidates.csv").unlink()
    assert "run `dvc repro mine@cherry`" in refused(*record("cherry", table(GOOD)))


# -- sweep request

REQUEST = Path("sweeps/request/convnextv2.yaml")


def test_a_request_holds_profile_seeds_and_changes(assay):
    assert assay("sweep", "request", "convnextv2")[0] == 0
    assert yaml.safe_load(REQUEST.read_text()) == {"profile": "demo", "seeds": [], "set": []}
    changes = ["train.epochs=4", "model.input_mode=norm"]
    more = ["--profile", "smoke", "--seeds", "3, 1,3", *(part for one in changes for part in ("--set", one))]
    assert assay("sweep", "request", "convnextv2", *more)[0] == 0
    wanted = {"profile": "smoke", "seeds": [3, 1], "set": changes}  # a job is run once
    assert yaml.safe_load(REQUEST.read_text()) == wanted


def test_the_same_request_does_not_touch_the_file(assay):
    assay("sweep", "request", "convnextv2")
    before = REQUEST.stat()
    assay("sweep", "request", "convnextv2")
    assert (REQUEST.stat().st_mtime_ns, REQUEST.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["convnext2"], "did you mean 'convnextv2'"),
        (["../sweep/convnextv2"], "no such sweep"),
        (["hardneg"], "the code runs none of its experiments yet; these can be run: convnextv2"),
        (["convnextv2", "--profile", "smokey"], "did you mean 'smoke'"),
        (["convnextv2", "--seeds", "1,two"], "SEEDS=1,two: expected whole numbers with commas"),
        (["convnextv2", "--seeds", "1,-2"], "a seed is a whole number from 0"),
        (["convnextv2", "--set", "train.epocs=4"], "train.epocs = 4: unknown key (did you mean 'epochs'?)"),
        (["convnextv2", "--set", "train.epochs=many"], "train.epochs = 'many': input should be a valid"),
        (["convnextv2", "--set", "train.epochs"], "expected key=value"),
        (["convnextv2", "--set", "seed=3"], "SET=seed=3: expected model.<key>=value or train.<key>=value"),
    ],
)
def test_a_request_that_cannot_be_met_is_one_line_and_writes_nothing(refused, arguments, message):
    assert message in refused("sweep", "request", *arguments)
    assert not REQUEST.exists()


def test_publishing_what_was_not_run_is_one_line(refused):
    assert "run `make sweep EXP=convnextv2` first" in refused("sweep", "publish", "convnextv2")


# -- registry and status


def test_nothing_recorded_is_nothing_to_sync(assay):
    status, out, _ = assay("registry", "sync")
    assert status == 0 and out.startswith("MLflow: 0 runs new")
    assert not Path("mlruns").exists()


def test_a_damaged_record_is_one_line_and_status_2(assay):
    Path("build/cherry/runs/train").mkdir(parents=True)
    Path("build/cherry/runs/train/run.json").write_text("{")
    status, _, err = assay("registry", "sync")
    assert status == 2 and "build/cherry/runs/train/run.json is not a readable run record" in err
    assert err.count("\n") == 1


def test_status_before_any_result_says_so(assay):
    status, out, _ = assay("status")
    assert status == 0 and "cherry" in out and "not run yet" in out
