import hashlib
import socket
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from assay.errors import UserError
from assay.models import yolo_adapter
from assay.models.detector import load_detector, save_detector
from assay.models.detector_weights import DetectorWeights, resolve_detector
from assay.starter import SETTINGS
from assay.training.detection import lay_out, train_detector

CLASSES = ("dark", "bright")
SIDE = 64


def picture(path, draw, label):
    """Noise with a rectangle, brighter or darker than it; the rectangle."""
    pixels = draw.integers(90, 150, (SIDE, SIDE, 3))
    x, y = (int(value) for value in draw.integers(4, 30, 2))
    if label is not None:
        pixels[y : y + 24, x : x + 24] += 90 if label == "bright" else -90
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, pixels.astype(np.uint8))[1].tobytes())
    return x, y, x + 24, y + 24


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def dataset(tmp_path):
    """Eight pictures, four of them for validation: (rows, boxes) of the data set in `dataset`."""
    draw, rows, boxes = np.random.default_rng(0), [], []
    for k in range(8):
        split, label = ("train", "val")[k // 4], CLASSES[k % 2]
        name = f"images/{split}/{k}.{'jpg' if k % 3 else 'png'}"
        x1, y1, x2, y2 = picture(tmp_path / "dataset" / name, draw, label)
        digest = hashlib.sha256((tmp_path / "dataset" / name).read_bytes()).hexdigest()
        shape = {"width": SIDE, "height": SIDE}
        rows.append({"image": name, "split": split, "sha256": digest, **shape})
        boxes.append({"image": name, "label": label, "x1": x1, "y1": y1, "x2": x2, "y2": y2, **shape})
    path = tmp_path / "dataset/images/train/1.jpg"
    path.write_bytes(
        path.read_bytes() + b"\n"
    )  # a camera's habit, which Ultralytics takes for damage and mends
    return pd.DataFrame(rows), pd.DataFrame(boxes)


@pytest.fixture
def asked(tmp_path, dataset):
    """Arguments of a training of a second: three epochs of two batches, the last two without mosaics."""
    picture(tmp_path / "reviewed/nothing.jpg", np.random.default_rng(1), None)
    return {
        "root": tmp_path / "dataset",
        "negatives": [tmp_path / "reviewed/nothing.jpg"],
        "classes": CLASSES,
        "architecture": "yolo11n",
        "image_size": SIDE,
        "weights": DetectorWeights("random", "test", {}),
        # a step after every third batch, so that gathered gradients go from epoch to epoch
        "settings": {
            **SETTINGS,
            "epochs": 3,
            "batch": 3,
            "nominal_batch": 9,
            "warmup_epochs": 0.0,
            "close_mosaic": 2,
        },
        "precision": "fp32",
        "select": "last",
        "seed": 1,
        "work": tmp_path / "work",
        "log": lambda name, value, epoch: None,
    }


def same(first, second):
    first, second = first.module.state_dict(), second.module.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


class Killed(Exception):
    """As if the process had been killed."""


def killed_in(epoch):
    def log(name, value, number):
        if number == epoch + 1:
            raise Killed

    return log


@pytest.fixture
def whole(dataset, asked, tmp_path):
    """The training without interruption."""
    return train_detector(*dataset, **asked | {"work": tmp_path / "elsewhere"})


def test_a_training_is_repeatable_stays_in_its_folder_and_asks_no_network(
    dataset, asked, whole, tmp_path, monkeypatch
):
    asked_for, threads = [], torch.get_num_threads()

    def no_network(*address, **_):
        asked_for.append(address)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    before = contents(tmp_path)
    logged = []
    monkeypatch.chdir(tmp_path / "reviewed")
    again = train_detector(*dataset, **asked | {"log": lambda *entry: logged.append(entry)})
    assert same(whole, again) and whole.history == again.history
    assert whole.info == again.info
    after = contents(tmp_path)
    # two batches an epoch, mosaics off from the second on; pictures of what augmentation made of them
    drawn = [f"work/batches/train_batch{number}.jpg" for number in range(5)]
    assert sorted(path.relative_to(tmp_path).as_posix() for path in after.keys() - before.keys()) == [
        *drawn,
        "work/checkpoint.pt",
    ]
    assert all(Image.open(tmp_path / path).size == (2 * SIDE, 2 * SIDE) for path in drawn[::2])
    assert all(
        after[path] == content for path, content in before.items()
    )  # no labels.cache, no mended picture
    assert torch.get_num_threads() == threads
    assert asked_for == []
    # what is logged is the history, epoch by epoch
    assert logged == [
        (name, value, k) for k, row in enumerate(again.history, 1) for name, value in row.items()
    ]
    assert {"map50", "map50_95", "precision", "recall", "lr", "box_loss", "cls_loss", "val_box_loss"} <= set(
        again.history[0]
    )
    # model.json
    info = again.info
    assert (info["epochs_run"], info["best_epoch"], info["resumed_after"]) == (3, 3, 0)
    assert info["images"] == {"train": 4, "negatives": 1}
    assert info["weights"]["origin"] == "random" and info["last"] == again.history[-1]
    arguments = info["arguments"]
    assert (arguments["optimizer"], arguments["lr0"], arguments["imgsz"]) == ("AdamW", 0.002, SIDE)
    assert "auto" not in arguments.values() and "device" not in arguments
    # it moved, and another seed moves it elsewhere
    start = yolo_adapter.build("yolo11n", CLASSES, seed=1).state_dict()
    assert not torch.equal(start["model.0.conv.weight"], again.module.state_dict()["model.0.conv.weight"])
    other = train_detector(*dataset, **asked | {"seed": 2})  # the checkpoint there is of another run
    assert other.info["resumed_after"] == 0 and not same(other, again)


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_killed_training_ends_as_if_nothing_had_happened(dataset, asked, whole, epoch):
    with pytest.raises(Killed):
        train_detector(*dataset, **asked | {"log": killed_in(epoch)})
    epochs = []
    resumed = train_detector(*dataset, **asked | {"log": lambda name, value, number: epochs.append(number)})
    assert resumed.info["resumed_after"] == epoch
    assert set(epochs) == set(range(epoch + 1, 4))
    assert resumed.history == whole.history
    assert same(resumed, whole)
    # a training that was killed after its last epoch is not repeated
    finished = train_detector(*dataset, **asked | {"log": killed_in(-1)})
    assert same(finished, whole) and finished.history == whole.history
    assert finished.info == whole.info | {"resumed_after": 3}


def test_bf16_is_how_the_network_is_run_and_nothing_else(dataset, asked, tmp_path):
    there = asked | {"precision": "bf16", "settings": asked["settings"] | {"epochs": 2}}
    half = train_detector(*dataset, **there | {"work": tmp_path / "elsewhere"})
    assert half.info["precision"] == "bf16"
    assert all(p.dtype == torch.float32 for p in half.module.parameters())
    with pytest.raises(Killed):
        train_detector(*dataset, **there | {"log": killed_in(1)})
    resumed = train_detector(*dataset, **there)
    assert resumed.info["resumed_after"] == 1 and same(resumed, half)


def test_a_trained_network_answers_nearly_the_same_in_bf16():
    from assay.training.yolo_trainer import _in_bf16

    weights = resolve_detector(
        "yolo11n", path=None, pretrained=True, allow_download=False, allow_random_init=True
    )
    module = yolo_adapter.build("yolo11n", weights.classes)
    yolo_adapter.carry_over(module, weights.state, classes=weights.classes, known=weights.classes)
    draw = np.random.default_rng(0)
    blocks = draw.random((2, 3, 8, 8), np.float32).repeat(16, axis=2).repeat(16, axis=3)
    pixels = torch.from_numpy(blocks)
    with torch.inference_mode():
        exact = module.train().predict(pixels)
        rounded = _in_bf16(module.predict, torch.device("cpu"))(pixels)
    for name in ("boxes", "scores"):
        assert rounded[name].dtype == torch.float32 and not torch.equal(exact[name], rounded[name])
        assert (exact[name] - rounded[name]).norm() < 0.05 * exact[name].norm()


@pytest.mark.parametrize("changed", ["settings", "boxes", "negatives", "classes"])
def test_a_checkpoint_of_another_training_counts_as_absent(dataset, asked, tmp_path, changed):
    rows, boxes = dataset
    short = asked | {"settings": asked["settings"] | {"epochs": 2}}
    with pytest.raises(Killed):
        train_detector(rows, boxes, **short | {"log": killed_in(1)})
    if changed == "settings":
        short["settings"] = short["settings"] | {"lr0": 0.001}
    elif changed == "boxes":
        boxes = boxes.assign(x1=boxes["x1"] + 1)
    elif changed == "negatives":
        picture(tmp_path / "reviewed/nothing.jpg", np.random.default_rng(2), None)
    else:
        short["classes"] = CLASSES[::-1]
    epochs = []
    with pytest.raises(Killed):

        def log(name, value, epoch):
            epochs.append(epoch)
            raise Killed

        train_detector(rows, boxes, **short | {"log": log})
    assert epochs == [1]


def test_no_epoch_keeps_the_starting_weights(dataset, asked):
    trained = train_detector(*dataset, **asked | {"settings": asked["settings"] | {"epochs": 0}})
    start = yolo_adapter.build("yolo11n", CLASSES, seed=1).state_dict()
    assert all(torch.equal(tensor, start[name]) for name, tensor in trained.module.state_dict().items())
    assert (trained.history, trained.info["epochs_run"]) == ([], 0)


def test_what_ultralytics_reads_is_laid_out(dataset, asked, tmp_path):
    rows, boxes = dataset
    boxes = boxes[boxes["image"] != "images/train/2.jpg"]
    given = {key: asked[key] for key in ("root", "negatives", "classes")}
    lay_out(tmp_path / "data", rows, boxes, **given)
    labels = {path.name: path.read_text() for path in (tmp_path / "data/labels/train").iterdir()}
    assert sorted(labels) == ["0.txt", "1.txt", "2.txt", "3.txt", "negative_00000.txt"]
    assert labels["2.txt"] == labels["negative_00000.txt"] == ""
    number, *shares = labels["1.txt"].split()
    x, y, width, height = np.array(shares, float) * SIDE
    box = boxes[boxes["image"] == "images/train/1.jpg"].iloc[0]
    assert int(number) == 1  # bright
    np.testing.assert_allclose(
        [x - width / 2, y - height / 2, x + width / 2, y + height / 2],
        box[["x1", "y1", "x2", "y2"]].to_numpy(float),
        atol=1e-3,
    )
    pictures = {path.stem for path in (tmp_path / "data/images/train").iterdir()}
    assert pictures == {"0", "1", "2", "3", "negative_00000"}


@pytest.mark.parametrize(
    "device",
    [
        "meta",
        pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")),
    ],
)
def test_gradients_of_a_checkpoint_go_to_where_the_network_is(device):
    """A checkpoint is read on the CPU; torch refuses a gradient that lies elsewhere than its parameter."""
    from assay.training.yolo_trainer import _Trainer

    data = SimpleNamespace(buffer=[])
    loader = SimpleNamespace(generator=torch.Generator(), reset=lambda: None, dataset=data)
    network = torch.nn.Linear(2, 1, device=device)
    trainer = SimpleNamespace(args=SimpleNamespace(seed=0), epoch=3, found_epoch=3, train_loader=loader)
    trainer.model, trainer.found = network, {"gradients": {"weight": torch.ones(1, 2)}}
    _Trainer.begin_epoch(trainer)
    assert network.weight.grad.device == network.weight.device and network.bias.grad is None


def test_data_that_cannot_be_trained_on_is_a_users_mistake(dataset, asked):
    rows, boxes = dataset
    for split in ("train", "val"):
        with pytest.raises(UserError, match=f"dataset: no {split} images to train with"):
            train_detector(rows[rows["split"] != split], boxes, **asked)
    with pytest.raises(UserError, match="no training image has a box of any of the classes dark, bright"):
        train_detector(rows, boxes[boxes["image"].str.contains("/val/")], **asked)
    assert not asked["work"].exists()


def test_a_loss_that_is_not_finite_is_named_with_its_epoch(dataset, asked, monkeypatch):
    from assay.training import yolo_trainer

    plain = yolo_trainer._Trainer.preprocess_batch

    def black_hole(self, batch):
        batch = plain(self, batch)
        if self.epoch == 1:
            batch["img"] = batch["img"] * float("nan")
        return batch

    monkeypatch.setattr(yolo_trainer._Trainer, "preprocess_batch", black_hole)
    with pytest.raises(
        UserError, match=r"training collapsed in epoch 2: .*loss.* not finite.*lower train\.lr0"
    ):
        train_detector(*dataset, **asked)


def test_a_network_with_attention_learns_and_is_read_again(dataset, asked, tmp_path):
    plain = yolo_adapter.build("yolo11n", CLASSES, seed=4)
    weights = DetectorWeights("file", "plain", plain.state_dict(), CLASSES)
    settings = asked["settings"] | {
        "epochs": 1,
        "freeze": 10,
        "batch": 4,
        "nominal_batch": 4,
        "close_mosaic": 0,
    }
    trained = train_detector(
        *dataset, **asked | {"architecture": "yolo11n_cbam", "weights": weights, "settings": settings}
    )
    assert (trained.info["architecture"], len(trained.history)) == ("yolo11n_cbam", 1)
    assert trained.info["weights"]["left_random"] == 3  # the block's own tensors
    state, begun = (
        trained.module.state_dict(),
        yolo_adapter.build("yolo11n_cbam", CLASSES, seed=1).state_dict(),
    )
    assert torch.equal(
        state["model.4.cv1.conv.weight"], plain.state_dict()["model.4.cv1.conv.weight"]
    )  # frozen
    learnt = "model.11.spatial_attention.cv1.weight"
    assert not torch.equal(state[learnt], begun[learnt])
    save_detector(tmp_path, trained.module, trained.info)
    assert load_detector(tmp_path)[0].module.model[11].spatial_attention is not None
