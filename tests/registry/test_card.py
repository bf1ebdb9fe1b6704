"""Cards: what the store's files say of a model, in Markdown and JSON."""

import json
from pathlib import Path

import pytest

from assay.registry.aliases import variant_name
from assay.registry.card import make_card, markdown
from assay.registry.catalog import Catalog

MODEL = "cherry-classifier"


def test_a_card_says_what_document_000_says_of_a_model(repository):
    catalog = Catalog()
    card = make_card(catalog, catalog.find(f"{MODEL}/2"))
    assert card["tag"] == "resnet18_good_64"
    assert (card["architecture"], card["resolution"], card["parameters"]) == (
        "resnet18.a1_in1k",
        64,
        11_177_538,
    )
    assert (card["size_mb"], card["files"]) == (44.76, {"model.onnx": 2.0})
    assert card["training"]["settings"] == {"lr": 0.1, "epochs": 3}
    assert (card["data"]["source"], card["data"]["content"]) == ("sample", "c" * 64)
    assert card["seconds"] >= 0 and "cores" in card["hardware"]
    assert card["metrics"][0] == {
        "part": "all",
        "name": "accuracy",
        "value": 0.95,
        "low": 0.91,
        "high": 0.99,
        "n": 200,
    }
    assert [(row["name"], row["value"]) for row in card["false_positives"][:2]] == [("clean", 5), ("pit", 10)]
    assert card["speed"] == {"onnx": 4.0} and card["licence"].startswith("AGPL-3.0-or-later")
    assert json.loads(json.dumps(card)) == card


def test_every_runtimes_file_has_its_size(repository):
    catalog = Catalog()
    version = catalog.find(f"{MODEL}/2")
    sizes = {"model.torchscript": 3, "model.engine": 4, "openvino/model.xml": 1, "openvino/model.bin": 5}
    for name, size in sizes.items():
        path = version.export / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(size * 1_000_000))
    assert make_card(catalog, version)["files"] == {
        **{"model.onnx": 2.0, "openvino/model.xml": 6.0},
        **{"model.torchscript": 3.0, "model.engine": 4.0},
    }


def test_a_number_that_json_has_not_is_null_for_a_program(repository, done):
    """One group of images leaves no interval: NaN in metrics.json and in the store, which no other JSON reader takes."""
    import sqlite3

    path = Catalog().find(f"{MODEL}/2").files / "evaluate/metrics.json"
    path.write_text(path.read_text().replace("0.91", "NaN"))
    with sqlite3.connect("mlruns/mlflow.db") as store:
        store.execute("update latest_metrics set value = 0, is_nan = 1 where key = 'accuracy/low'")
    strict = {"parse_constant": lambda word: pytest.fail(f"{word} is no JSON")}
    assert json.loads(done("show", f"{MODEL}/2", "--json"), **strict)["metrics"][0]["low"] is None
    assert {row["low"] for row in json.loads(done("list", MODEL, "--json"), **strict)} == {None}


def test_a_detectors_card_counts_its_boxes_on_nothing(repository):
    catalog = Catalog()
    card = make_card(catalog, catalog.find("workzone-detector/1"))
    values = [(row["part"], row["value"], row["unit"]) for row in card["false_positives"][:2]]
    assert values == [("test", 0.7, "boxes an image"), ("test", 28.0, "boxes in all")]
    assert "ultralytics" in card["licence"] and card["training"]["best_epoch"] == 2


def test_the_page_is_what_mlflow_shows_and_keeps(repository):
    from mlflow import MlflowClient

    from assay import registry

    catalog = Catalog()
    version = catalog.find(f"{MODEL}/2")
    kept = Path(version.files, "card")
    text = (kept / "v2.md").read_text("utf-8")
    assert json.loads((kept / "v2.json").read_text())["tag"] == "resnet18_good_64"
    assert MlflowClient(registry.connect()).get_model_version(MODEL, "2").description == text
    for said in (
        f"# {MODEL} v2: resnet18_good_64",
        "11,177,538 parameters, 44.76 MB",
        "| all | accuracy | 0.95 | 0.910 to 0.990 | 200 |",
        "train.epochs 60 -> 3",
        "onnx: 4.00 ms an image",
        "epochs 3, lr 0.1",
        "kept: epoch 2\n",  # of the two that a classifier keeps the clean one, which is exported
        "Weights before training: random, none found\n",
    ):
        assert said in text


def test_a_card_tells_its_use_by_the_aliases_it_has_now(repository, done):
    done("promote", f"{MODEL}/2", "--reason", "better", "--by", "ann")
    assert "Aliases: production." in done("show", f"{MODEL}@production")
    assert "production deployment" in Catalog().find(f"{MODEL}/2").files.joinpath("card/v2.md").read_text()
    assert json.loads(done("show", f"{MODEL}/2", "--json"))["use_cases"][0].startswith(
        "production deployment"
    )


def test_a_card_without_evaluation_says_so(repository):
    import shutil

    catalog = Catalog()
    version = catalog.find(f"{MODEL}/2")
    shutil.rmtree(version.files / "evaluate")
    (version.files / "model.json").unlink()
    text = markdown(make_card(catalog, version))
    assert text.count("Not measured.") == 2 and "unknown px" in text


def test_a_damaged_file_of_a_run_is_one_line(repository, refused):
    (Catalog().find(f"{MODEL}/2").files / "evaluate/metrics.json").write_text("{")
    assert f"{MODEL} v2: its evaluate/metrics.json cannot be read" in refused("show", f"{MODEL}/2")


def test_the_list_has_a_row_per_version_and_the_guide_of_what_is_chosen(repository, done):
    lines = done("list").splitlines()
    assert len([line for line in lines if line.startswith((f"{MODEL} v", "workzone-detector v"))]) == 6
    [row] = [line for line in lines if line.startswith(f"{MODEL} v2")]
    for said in ("resnet18_good_64", "accuracy 0.900 (0.850 to 0.950)", "4.0 onnx", "sample"):
        assert said in row
    assert lines[-1].startswith("candidate: the newest export") and f"{MODEL} v4" in lines[-1]
    rows = json.loads(done("list", MODEL, "--json"))
    assert [row["version"] for row in rows] == [4, 3, 2, 1]


def test_no_store_has_an_empty_list(tmp_path, monkeypatch, done):
    monkeypatch.chdir(tmp_path)
    assert "no model is registered" in done("list")


def test_a_model_is_found_by_document_000s_name(repository):
    assert Catalog().find("resnet18_good_64").said == f"{MODEL} v2"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("yolo12s", "yolo12s_hardneg_1280", 1280), "yolo12s_hardneg_1280"),  # document 000's own example
        (("yolo11n", "yolo12s_reviewed", 256, "yolo12s"), "yolo11n_reviewed_256"),  # a smaller one by profile
        (("resnet18.a1_in1k", "resnet18", 128), "resnet18_plain_128"),
        (
            ("openai/clip-vit-base-patch32", "clip_b32_reviewed", 224),
            "clip-vit-base-patch32_clip_b32_reviewed_224",
        ),
    ],
)
def test_the_tag_is_architecture_variant_resolution(arguments, expected):
    architecture, experiment, size, *published = arguments
    assert variant_name(architecture, experiment, size, published="".join(published)) == expected
