"""A real sweep of detectors: one goes on from another's model, one is refused, one is killed and resumed."""

import csv
import json
import os
import shutil
import signal

import pytest
import yaml

from tests.pipelines.detection_data import make

pytestmark = pytest.mark.slow

SWEEP = ("dvc", "repro", "sweeps/dvc.yaml:sweep@tiny")
EARLIER, LATER, REFUSED = "yolo11s_expanded_reduced_aug", "yolo11s_best", "yolo11s_ensemble"
TINY = {
    "title": "A sweep of this test's own",
    "project": "infrastructure",
    "experiments": [LATER, REFUSED, EARLIER],  # the later one comes first: it sees to the earlier one
    "seeds": [0],
}


@pytest.fixture
def detectors(unbuilt):
    """A repository whose graph knows infrastructure, on 14 drawn photos, and the sweep `tiny` of three jobs."""
    chosen = "{experiment: yolo11s_reviewed, task: detection, data: infrastructure}"
    unbuilt.edit("params.yaml", ("^projects:.*", rf"\g<0>\n  infrastructure: {chosen}"))
    reads = "{project: infrastructure, task: detection, reads: dataset}"
    unbuilt.edit("params.yaml", ("^sweeps:.*", rf"\g<0>\n  tiny: {reads}"))
    unbuilt.edit("conf/profile/smoke.yaml", (r"model.image_size: 128", "model.image_size: 64"))
    (unbuilt.root / "conf/sweep/tiny.yaml").write_text(yaml.safe_dump(TINY))
    shutil.rmtree(unbuilt.root / "data/infrastructure", ignore_errors=True)
    make("infrastructure", unbuilt.root)
    return unbuilt


def rows(repository):
    with (repository.root / "build/sweeps/tiny/table.csv").open(newline="") as stream:
        return {row["experiment"]: row for row in csv.DictReader(stream)}


def folders(repository):
    requests = (repository.root / "runs/sweeps/tiny").glob("*/request.json")
    return {json.loads(path.read_text())["name"].partition(" ")[0]: path.parent for path in requests}


def stamp(path):
    return path.stat().st_mtime_ns, path.stat().st_ino


def test_a_killed_job_resumes_a_refused_one_says_why_and_a_later_one_goes_on_from_the_earlier(detectors):
    detectors.run("assay", "sweep", "request", "tiny", "--profile", "smoke")

    def victim():
        """Process number of the later job, once its own work has begun."""
        record = folders(detectors).get(LATER, detectors.root) / "run/run.json"
        return json.loads(record.read_text())["pid"] if record.is_file() else None

    with detectors.started(*SWEEP, ASSAY_JOBS="2") as (process, log):
        detectors.wait(victim, process, log)
        os.kill(victim(), signal.SIGKILL)
        process.wait()
    assert process.returncode != 0, log.read_text()
    table = rows(detectors)
    assert {name: row["status"] for name, row in table.items()} == {
        EARLIER: "ok",
        LATER: "failed",
        REFUSED: "refused",
    }
    assert "killed before it ended" in table[LATER]["error"]
    assert table[REFUSED]["error"].startswith("evaluate.inference.ensemble: yolo11s_best is not trained here")
    earlier = folders(detectors)[EARLIER]
    before = stamp(earlier / "model/model.safetensors")

    out = detectors.run(*SWEEP)  # a refused job is no failure
    assert stamp(earlier / "model/model.safetensors") == before and "Traceback" not in out
    table, build = rows(detectors), detectors.root / "build/sweeps/tiny"
    assert (table[LATER]["status"], table[LATER]["weights"], table[LATER]["split"]) == (
        "ok",
        "experiment",
        "val",
    )
    whose = json.loads((earlier / "model/model.json").read_text())["id"][:12]
    assert table[LATER]["weights_detail"] == f"{EARLIER} {whose}"
    assert 0 <= float(table[LATER]["map50"]) <= 1 and float(table[LATER]["test_n"]) == 2
    assert table[LATER]["weights_root"] == "starter"
    pairs = json.loads((build / "comparison.json").read_text())
    names = (f"{EARLIER} seed 0", f"{LATER} seed 0")
    assert [(pair["candidate"], pair["reference"], pair["split"]) for pair in pairs] == [
        (*names, split) for split in ("val", "test")
    ]
    page = (build / "report.html").read_text()
    assert all(word in page for word in (LATER, "Refused jobs", "mAP50", "at the reference&#39;s recall"))
    assert (build / f"jobs/{LATER}_seed_0/evaluation/report.html").is_file()
    assert not list((detectors.root / "runs/sweeps/tiny").glob("*/work"))

    assert detectors.stages(detectors.run(*SWEEP)) == []
    table = detectors.run("assay", "sweep", "publish", "tiny").strip()
    assert "Boxes above the configured confidence" in (detectors.root / table).read_text()
    scoring = detectors.root / "pipelines/detection/scoring.py"
    scoring.write_text(scoring.read_text() + "\n# another way to score\n")
    detectors.run(*SWEEP)  # scores again and trains nothing
    assert stamp(earlier / "model/model.safetensors") == before and rows(detectors)[LATER]["status"] == "ok"
