import numpy as np
import pytest

from assay.errors import UserError
from assay.files import read_json, write_json
from assay.models import yolo_adapter
from assay.models.detector import Detector, load_detector, save_detector
from assay.models.letterbox import flipped
from tests.models.networks import answering

CLASSES = ("cone", "drum", "sign")
INFO = {"architecture": "yolo11n", "classes": list(CLASSES), "image_size": 64, "experiment": "test"}
ASKED = {"confidence": 0.7, "nms_iou": 0.5, "max_boxes": 20}


@pytest.fixture(scope="module")
def module():
    return answering(CLASSES)


@pytest.fixture(scope="module")
def detector(module):
    return Detector(module, classes=CLASSES, image_size=64)


@pytest.fixture(scope="module")
def pictures():
    draw = np.random.default_rng(0)
    sides = [(64, 64), (1, 1), (1, 90), (200, 31), (63, 65), (17, 300)]
    return [draw.integers(0, 256, (*side, 3), dtype=np.uint8) for side in sides]


def same(first, second):
    return all(
        np.array_equal(getattr(first, part), getattr(second, part))
        for part in ("xyxy", "class_id", "confidence")
    )


def test_boxes_lie_in_pictures_of_any_size(detector, pictures):
    answers = list(detector.predict(pictures, **ASKED))
    assert len(answers) == len(pictures)
    assert sum(map(len, answers)) > len(pictures)
    for picture, found in zip(pictures, answers, strict=True):
        height, width = picture.shape[:2]
        assert (found.xyxy >= 0).all() and (found.xyxy <= [width, height, width, height]).all()
        assert (found.xyxy[:, 2:] > found.xyxy[:, :2]).all()
        assert (found.confidence >= 0.7).all() and len(found) <= 20
        assert set(found.class_id) <= {0, 1, 2}
        assert (np.diff(found.confidence) <= 0).all()  # the surest first


def test_no_picture_no_answer(detector):
    assert list(detector.predict([], **ASKED)) == []


def test_a_stream_is_read_a_batch_at_a_time(detector, pictures):
    taken = []
    stream = (taken.append(k) or picture for k, picture in enumerate(pictures))
    next(detector.predict(stream, **ASKED, batch=2))
    assert taken == [0, 1]


def test_batches_do_not_change_the_answers(detector, pictures):
    whole = list(detector.predict(pictures, **ASKED))
    parts = list(detector.predict(pictures, **ASKED, batch=4))
    for first, second in zip(whole, parts, strict=True):
        assert np.array_equal(first.class_id, second.class_id)
        np.testing.assert_allclose(first.xyxy, second.xyxy, atol=1e-2)


def test_flip_shows_the_network_the_mirrored_picture_and_mirrors_the_boxes_back(detector, pictures):
    mirrored = [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]
    expected = list(detector.predict(mirrored, **ASKED))
    answers = list(detector.predict(pictures, **ASKED, flip=True))
    for picture, seen, found in zip(pictures, expected, answers, strict=True):
        assert same(found, flipped(seen, picture.shape[1]))
    plain = list(detector.predict(pictures, **ASKED))
    assert not all(same(first, second) for first, second in zip(plain, answers, strict=True))


def test_a_saved_detector_answers_the_same_when_loaded(tmp_path, module, detector, pictures):
    save_detector(tmp_path, module, INFO)
    loaded, info = load_detector(tmp_path)
    before, after = (list(one.predict(pictures, **ASKED)) for one in (detector, loaded))
    assert all(same(first, second) for first, second in zip(before, after, strict=True))
    assert (loaded.classes, loaded.image_size) == (CLASSES, 64)
    assert info.items() >= INFO.items()
    assert info["parameters"] == sum(parameter.numel() for parameter in module.parameters())
    assert info["size_mb"] == pytest.approx((tmp_path / "model.safetensors").stat().st_size / 1e6, abs=1e-3)


def test_the_id_is_of_the_weights(tmp_path, module):
    other = yolo_adapter.build("yolo11n", CLASSES, seed=4)
    found = []
    for name, network in (("a", module), ("b", module), ("c", other)):
        save_detector(tmp_path / name, network, INFO)
        found.append(read_json(tmp_path / name / "model.json")["id"])
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "yolo12n"}, "not of yolo12n with 3 classes"),
        ({"classes": ["a", "b"]}, "not of yolo11n with 2 classes"),
        ({"architecture": "yolo_of_mine"}, "yolo_of_mine: Ultralytics has no such network"),
    ],
)
def test_two_files_that_do_not_belong_together_are_refused(tmp_path, module, changes, message):
    save_detector(tmp_path, module, INFO)
    write_json(tmp_path / "model.json", {**read_json(tmp_path / "model.json"), **changes})
    with pytest.raises(UserError, match=message) as caught:
        load_detector(tmp_path)
    assert "\n" not in str(caught.value)


def test_missing_and_damaged_files_are_named(tmp_path, module):
    with pytest.raises(UserError, match=r"model.json: no such file"):
        load_detector(tmp_path)
    save_detector(tmp_path, module, INFO)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"model.safetensors: damaged"):
        load_detector(tmp_path)
    weights.unlink()
    with pytest.raises(UserError, match=r"model.safetensors: no such file"):
        load_detector(tmp_path)
    for content in ("{", "{}", "[]"):
        (tmp_path / "model.json").write_text(content)
        with pytest.raises(UserError, match=r"model.json: damaged") as caught:
            load_detector(tmp_path)
        assert "\n" not in str(caught.value)
