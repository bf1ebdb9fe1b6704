import copy
import shutil

import numpy as np
import onnx
import pytest

from assay.export.onnx import export_onnx
from assay.export.parity import ParityError, check_parity, judge, settle
from assay.export.predictor import Predictor
from assay.files import read_json, write_json

BUDGET = {"max_probability_difference": 1e-4, "max_accuracy_drop": 0.0, "max_rounded_accuracy_drop": 0.0}
GROUPS = [str(k) for k in range(12)]


def images(n=12) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [(random.random((24, 24, 3)) * random.uniform(20, 255, 3)).astype(np.uint8) for _ in range(n)]


def labels_of(exported) -> list[int]:
    """The network's own answers: accuracy 1, so every changed decision is a drop."""
    return Predictor.load(exported.folder, threads=1).predict(images()).argmax(axis=1).tolist()


def test_a_faithful_export_passes_and_leaves_its_numbers(exported, tmp_path):
    folder = shutil.copytree(exported.folder, tmp_path / "export")
    report = check_parity(
        exported.module,
        exported.info,
        folder,
        runtimes=["onnx", "openvino_fp32", "torchscript"],
        images=images(),
        labels=labels_of(exported),
        groups=GROUPS,
        threads=1,
        **BUDGET,
    )
    assert read_json(folder / "parity.json") == report
    assert report["accuracy"] == 1.0
    assert report["denormals"] == {"denormal_weights": 0, "denormal_activation_share": 0.0}
    assert set(report["runtimes"]) == {"onnx", "openvino_fp32", "torchscript"}
    assert report["odd_images"] == ["312x517", "1x1", "grey", "A4 portrait at 300 dpi"]
    for found in report["runtimes"].values():
        assert found["within_budget"] and found["max_probability_difference"] < 1e-5
        assert found["changed_decisions"] == 0


def broken_weight(exported, folder):
    """One bias of the head off by 1."""
    model = onnx.load(folder / "model.onnx")
    head = next(t for t in model.graph.initializer if t.dims == [2])
    values = onnx.numpy_helper.to_array(head) + np.array([1, 0], np.float32)
    head.CopyFrom(onnx.numpy_helper.from_array(values, head.name))
    onnx.save_model(model, folder / "model.onnx")


def wrong_preprocessing(exported, folder):
    """The export takes raw pixels where the network was trained on normalised ones."""
    metadata = {**exported.metadata, "input_mode": "raw"}
    export_onnx(exported.module, folder / "model.onnx", metadata=metadata)
    write_json(folder / "metadata.json", metadata)


def wrong_size(exported, folder):
    """Right on the square validation images' size only by accident: here 12 px instead of 24."""
    metadata = {**exported.metadata, "image_size": 12}
    export_onnx(exported.module, folder / "model.onnx", metadata=metadata)
    write_json(folder / "metadata.json", metadata)


def not_a_number(exported, folder):
    """Every probability NaN: no comparison with NaN may pass for a small difference."""
    module = copy.deepcopy(exported.module)
    module[-1].bias.data[:] = float("nan")
    export_onnx(module, folder / "model.onnx", metadata=exported.metadata)


@pytest.mark.parametrize("sabotage", [broken_weight, wrong_preprocessing, wrong_size, not_a_number])
def test_a_broken_export_fails_with_its_numbers(exported, tmp_path, sabotage):
    folder = shutil.copytree(exported.folder, tmp_path / "export")
    sabotage(exported, folder)
    with pytest.raises(
        ParityError, match=r"onnx: probabilities differ by up to .*allowed are 0\.0001"
    ) as caught:
        check_parity(
            exported.module,
            exported.info,
            folder,
            runtimes=["onnx"],
            images=images(),
            labels=labels_of(exported),
            groups=GROUPS,
            threads=1,
            **BUDGET,
        )
    assert caught.value.report["runtimes"]["onnx"]["max_probability_difference"] > 0.01
    assert read_json(folder / "parity.json") == caught.value.report  # the numbers outlive the failure


def test_a_lost_decision_is_over_budget_even_where_probabilities_may_differ(exported, tmp_path):
    folder = shutil.copytree(exported.folder, tmp_path / "export")
    labels = labels_of(exported)
    assert 0 < sum(labels) < len(labels)  # both classes, so that the shifted head changes some answers
    module = copy.deepcopy(exported.module)
    module[-1].bias.data[0] += 100  # everything is clean
    export_onnx(module, folder / "model.onnx", metadata=exported.metadata)
    with pytest.raises(ParityError) as caught:
        check_parity(
            exported.module,
            exported.info,
            folder,
            runtimes=["onnx"],
            images=images(),
            labels=labels,
            threads=1,
            max_probability_difference=1.0,
            groups=GROUPS,
            max_accuracy_drop=0.05,
            max_rounded_accuracy_drop=0.05,
        )
    found = caught.value.report["runtimes"]["onnx"]
    assert found["accuracy_drop"] == pytest.approx(sum(labels) / len(labels))


def judged(answers, **budget):
    """Four pictures in two groups, all decided right by the model; the odd fifth has no label."""
    expected = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9], [0.6, 0.4]], np.float32)
    return judge(
        expected,
        np.array(answers, np.float32),
        names=["a", "b", "c", "d", "odd"],
        labels=[0, 0, 1, 1],
        groups=["g", "g", "h", "i"],
        **budget,
    )


RIGHT = [[0.8, 0.2], [0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.5, 0.5]]
ONE_LOST = [[0.8, 0.2], [0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.5, 0.5]]


def test_a_rounded_export_is_held_to_its_accuracy_alone():
    found = judged(RIGHT, max_probability_difference=None, max_accuracy_drop=0.0)
    assert found["within_budget"] and found["max_probability_difference"] == pytest.approx(0.1)
    assert not judged(RIGHT, max_probability_difference=0.05, max_accuracy_drop=0.0)["within_budget"]
    lost = judged(ONE_LOST, max_probability_difference=None, max_accuracy_drop=0.2)
    assert (lost["accuracy"], lost["accuracy_drop"], lost["within_budget"]) == (0.75, 0.25, False)
    assert lost["accuracy_drop_low"] == 0.0 and lost["accuracy_drop_high"] > 0.25  # paired, by group
    assert judged(ONE_LOST, max_probability_difference=None, max_accuracy_drop=0.25)["within_budget"]


def test_an_answer_that_is_no_number_is_never_within_budget():
    nan = [*RIGHT[:4], [float("nan")] * 2]
    found = judged(nan, max_probability_difference=None, max_accuracy_drop=1.0)
    assert not found["within_budget"] and found["worst_image"] == "odd"


def test_an_int8_export_over_its_budget_says_so_with_the_interval(tmp_path):
    with pytest.raises(
        ParityError, match=r"openvino_int8: accuracy drops by 0\.2500 \(95 % .* to .*allowed is 0\.1"
    ):
        settle({"runtimes": {"openvino_int8": judged(ONE_LOST, **ROUNDED)}}, tmp_path)
    assert (tmp_path / "parity.json").is_file()


ROUNDED = {"max_probability_difference": None, "max_accuracy_drop": 0.1}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "size", "input_mode"),
    [
        ("resnet18.a1_in1k", 64, "raw"),
        ("tf_efficientnet_lite0.in1k", 64, "norm"),
        ("convnextv2_tiny.fcmae", 64, "raw"),
        ("vit_small_patch14_dinov2.lvd142m", 70, "norm"),
    ],
)
def test_the_ledgers_architectures_export(architecture, size, input_mode, tmp_path):
    import torch

    from assay.data.images import fit
    from assay.export.metadata import describe
    from assay.export.openvino import export_openvino
    from assay.models import timm_adapter
    from assay.models.classifier import to_input
    from assay.models.weights import Weights

    info = {"architecture": architecture, "classes": ["a", "b"], "image_size": size, "input_mode": input_mode}
    weights = Weights("random", "seed 0", None)
    module = timm_adapter.build(architecture, classes=2, image_size=size, weights=weights).eval()
    inputs = to_input(torch.from_numpy(np.stack([fit(image, size) for image in images()])), input_mode)
    with torch.inference_mode():  # a random network answers every image alike, and an error would not show
        for name, parameter in module.named_parameters():
            if name.endswith(".gamma"):  # layer scale starts at 1e-5, which switches its block off
                parameter.fill_(1)
        head, logits = timm_adapter.head_of(module), module(inputs)
        spread = (logits - logits.mean(dim=0)).std()
        head.bias.copy_((head.bias - logits.mean(dim=0)) / spread)
        head.weight /= spread
    metadata = describe(info, source={}, thresholds={})
    write_json(tmp_path / "metadata.json", metadata)
    export_onnx(module, tmp_path / "model.onnx", metadata=metadata)
    export_openvino(tmp_path / "model.onnx", tmp_path / "openvino", metadata=metadata)
    report = check_parity(
        module,
        info,
        tmp_path,
        runtimes=["onnx", "openvino_fp32"],
        images=images(),
        labels=[0, 1] * 6,
        groups=GROUPS,
        **BUDGET,
    )
    assert set(report["runtimes"]) == {"onnx", "openvino_fp32"}
    assert Predictor.load(tmp_path).predict(images()).std(axis=0).min() > 0.01
