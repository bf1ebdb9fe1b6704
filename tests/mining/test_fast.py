import itertools

import numpy as np
import pandas as pd
import pytest

from assay.mining import fast
from assay.mining.clips import few_frames
from assay.mining.fast import OpenVinoDetector, best_precision, convert, fast_detector, runtime_name
from assay.models.detector import Detector
from assay.models.letterbox import boxes_of, letterbox
from assay.models.yolo_adapter import build
from assay.sample.video import write_h264

CLASSES = ("cone", "worker")
ASK = {"confidence": 0.0001, "nms_iou": 0.7, "max_boxes": 20}


@pytest.fixture(scope="module")
def detector():
    return Detector(build("yolo11n", CLASSES, seed=3), classes=CLASSES, image_size=96)


def pictures(*sizes):
    draw = np.random.default_rng(0)
    return [draw.integers(0, 255, (height, width, 3), np.uint8) for height, width in sizes]


def fitted(detector, cache, **changes):
    options = {"precision": "f32", "model_id": "m", "cache": cache, "frames": list, "cores": 2}
    return OpenVinoDetector(detector, **(options | changes))


def test_a_tight_letterbox_pads_to_the_stride_only():
    (picture,) = pictures((406, 722))
    square, whole = letterbox(picture, 960)
    canvas, fit = letterbox(picture, 960, tight=True)
    assert square.shape == (960, 960, 3) and canvas.shape == (544, 960, 3)
    np.testing.assert_array_equal(canvas[2:542], square[210:750])
    assert (fit.left, fit.top) == (0, 2) and fit.scale_x == whole.scale_x


def test_the_same_boxes_as_torch_in_the_frames_order(detector, tmp_path):
    import torch

    images = pictures((60, 96), (60, 96), (60, 96), (96, 50), (60, 96))  # 50 wide: another network
    found = list(fitted(detector, tmp_path).predict(iter(images), **ASK))
    assert len(found) == 5
    for image, one in zip(images, found, strict=True):
        canvas, fit = letterbox(image, 96, tight=True)
        pixels = torch.from_numpy(canvas.transpose(2, 0, 1)[None].astype(np.float32) / 255)
        with torch.inference_mode():
            raw = detector.module(pixels)[0][0].numpy()
        expected = boxes_of(raw, fit, **ASK)
        assert len(expected) == len(one) > 0
        np.testing.assert_allclose(one.xyxy, expected.xyxy, atol=0.05)
        np.testing.assert_allclose(one.confidence, expected.confidence, atol=1e-5)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"m-64x96-f32", "m-96x64-f32"}


def test_a_converted_network_is_kept(detector, tmp_path, monkeypatch):
    images = pictures((60, 96))
    first = list(fitted(detector, tmp_path).predict(iter(images), **ASK))
    monkeypatch.setattr(fast, "convert", lambda *_: pytest.fail("converted again"))
    second = list(fitted(detector, tmp_path).predict(iter(images), **ASK))
    np.testing.assert_array_equal(first[0].xyxy, second[0].xyxy)


def test_no_more_frames_are_taken_than_there_are_requests(detector, tmp_path):
    taken = 0

    def counted():
        nonlocal taken
        for image in itertools.repeat(pictures((60, 96))[0], 30):
            taken += 1
            yield image

    for answered, _ in enumerate(fitted(detector, tmp_path).predict(counted(), **ASK)):
        assert taken - answered <= 4  # three on their way with two cores, one in hand
    assert taken == 30


@pytest.mark.slow
def test_int8_is_the_same_network_nearly(detector, tmp_path):
    images = pictures(*[(60, 96)] * 12)
    exact = convert(detector, (64, 96))
    coarse = fitted(detector, tmp_path, precision="int8", frames=lambda: iter(images))._network((64, 96))
    import openvino

    reference = openvino.Core().compile_model(exact, "CPU")
    canvas = letterbox(images[0], 96, tight=True)[0][None]
    one, other = reference(canvas)[0], coarse(canvas)[0]
    assert one.shape == other.shape and np.abs(one[:, 4:] - other[:, 4:]).max() < 0.1
    assert np.abs(one - other).max() > 0
    assert "FakeQuantize" in (tmp_path / "m-64x96-int8/model.xml").read_text("utf-8")


@pytest.mark.parametrize(
    ("flags", "precision"), [({"avx2"}, "f32"), ({"avx512_vnni"}, "f32"), ({"amx_bf16"}, "bf16")]
)
def test_the_precision_that_the_cpu_has(flags, precision):
    assert best_precision(flags) == precision


def test_what_runs_it_is_named(detector, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert fast_detector(detector, runtime_name("torch", "auto"), model_id="m", cache=tmp_path) is detector
    monkeypatch.setattr(fast, "cpu_flags", lambda: {"amx_bf16"})
    assert runtime_name("auto", "auto") == "openvino-bf16"
    assert runtime_name("openvino", "int8") == "openvino-int8"
    assert isinstance(fast_detector(detector, "openvino-f32", model_id="m", cache=tmp_path), OpenVinoDetector)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert runtime_name("auto", "auto") == runtime_name("torch", "f32") == "torch-cuda-f16"
    assert runtime_name("openvino", "f32") == "openvino-f32"


def test_few_frames_of_every_readable_clip(tmp_path):
    for clip, shade in (("a", 40), ("c", 200)):
        write_h264(
            tmp_path / f"{clip}.mp4", (np.full((32, 48, 3), shade + k, np.uint8) for k in range(16)), fps=15
        )
    (tmp_path / "b.mp4").write_bytes(b"no clip")
    clips = pd.DataFrame({"path": ["a.mp4", "b.mp4", "c.mp4"], "frames": [16, 16, 16]})
    shades = [int(one.mean().round()) for one in few_frames(clips, tmp_path, each=2)]
    assert len(shades) == 4 and np.abs(np.array(shades) - [44, 204, 52, 212]).max() <= 2
