"""What people put into data/: the stage quarantines and counts, or says in one line what is wrong."""

import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from assay.sample.cherry_picture import draw

pytestmark = pytest.mark.slow

PREPARE = ("python", "-m", "pipelines.prepare", "project=cherry")


def encoded(image, format="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def test_odd_files_are_used_and_damaged_ones_quarantined(unbuilt):
    data = unbuilt.root / "data/cherry"
    picture = Image.fromarray(draw(991, pit=0.9))
    turned = Image.Exif()
    turned[0x0112] = 6
    pit = "train/cherry_pit"
    odd = {
        f"{pit}/grey.png": encoded(picture.convert("L")),
        f"{pit}/see through.png": encoded(picture.convert("RGBA")),
        f"{pit}/four inks.jpg": encoded(Image.fromarray(draw(992, pit=0.9)).convert("CMYK"), "JPEG"),
        f"{pit}/sixteen bits.png": encoded(
            Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
        ),
        f"{pit}/turned.jpg": encoded(
            Image.fromarray(draw(993, pit=0.9)).crop((0, 20, 128, 108)), "JPEG", exif=turned
        ),
        f"{pit}/Süß, 桜 & (1).png": encoded(Image.fromarray(draw(994, pit=0.9))),
        "val/cherry_pit/twin.png": encoded(Image.fromarray(draw(994, pit=0.9)), compress_level=0),
    }
    damaged = {
        f"{pit}/cut.png": encoded(picture)[:900],
        f"{pit}/cut.jpg": encoded(picture, "JPEG", quality=95)[:1500],
        "val/cherry_clean/nothing.png": b"",
        "pool/letter.png": "no picture".encode("utf-16"),
    }
    known = 7  # damaged files of the sample itself
    for name, content in (odd | damaged).items():
        (data / name).write_bytes(content)
    untouched = sorted(data.rglob("*"))
    unbuilt.run(*PREPARE)

    quarantined = {row["image"]: row["reason"] for row in unbuilt.read("dataset/quarantine.csv")}
    assert len(quarantined) == len(damaged) + known and set(damaged) <= set(quarantined)
    assert (
        quarantined["val/cherry_clean/nothing.png"] == "empty file"
        and quarantined[f"{pit}/cut.png"] == "truncated"
    )
    points = map(json.loads, (unbuilt.build / "runs/prepare/metrics.jsonl").read_text().splitlines())
    counts = {point["name"]: point["value"] for point in points}
    assert counts["quarantined"] == len(damaged) + known and counts["resized"] == 1
    assert counts["leaks"] == 6 + 1  # the sample's own, and the twin
    manifest = pd.read_parquet(unbuilt.build / "dataset/manifest.parquet").set_index("image")
    assert set(odd) <= set(manifest.index)
    assert tuple(manifest.loc[f"{pit}/turned.jpg", ["width", "height"]]) == (88, 128)
    assert manifest.loc["val/cherry_pit/twin.png", "group"] == f"{pit}/Süß, 桜 & (1).png"
    assert manifest.loc[f"{pit}/sixteen bits.png", "pixels"] == manifest.loc[f"{pit}/grey.png", "pixels"]
    assert "cut.jpg" in (unbuilt.build / "dataset/report.html").read_text("utf-8")
    assert sorted(data.rglob("*")) == untouched

    # the stages that read pixels take them too
    unbuilt.run("python", "-m", "pipelines.baseline", "project=cherry")
    unbuilt.run(
        "python",
        "-m",
        "pipelines.mine",
        "project=cherry",
        "mine.uncertain_below=1.0",
        "mine.max_candidates=300",
    )
    mined = {row["image"] for row in unbuilt.read("candidates/candidates.csv")}
    assert f"{pit}/turned.jpg" in mined and not mined & set(damaged)


def test_predictions_of_images_that_are_no_longer_kept_back_are_refused(repository):
    """A temperature fitted on images that trained the model would say nothing."""
    repository.edit("build/cherry/model/model.json", (r'^  "select": (\d+)', r'  "select": 1\1'))
    evaluate = ("python", "-m", "pipelines.evaluate", "resolved/cherry.yaml")
    assert "kept back; the data and reviews now give" in repository.refused(*evaluate)


def emptied(data):
    shutil.rmtree(data)
    data.mkdir()


def of_a_detector(data):
    emptied(data)
    for name in ("images/train/1.png", "labels/train/1.txt"):
        (data / name).parent.mkdir(parents=True)
        (data / name).write_text("0 0.5 0.5 1 1")


@pytest.mark.parametrize(
    "change, message",
    [
        (shutil.rmtree, "data/cherry: no data; run `make data`"),
        (emptied, "data/cherry: no data; run `make data`"),
        (
            of_a_detector,
            "which looks like a YOLO detection set; expected {train,val}/{cherry_clean,cherry_pit}",
        ),
    ],
    ids=["missing", "empty", "another project's"],
)
def test_a_folder_that_is_no_data_set_is_one_line_and_costs_no_result(repository, change, message):
    before = repository.contents("dataset")
    change(repository.root / "data/cherry")
    assert message in repository.refused(*PREPARE)
    assert repository.contents("dataset") == before
    assert repository.read("runs/prepare/run.json")["status"] == "failed"
