import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from assay.errors import UserError
from assay.export.condition import check_condition_parity, describe, export_condition
from assay.export.condition_predictor import ConditionPredictor
from assay.export.parity import ParityError
from assay.files import read_json, write_json
from assay.models.condition import ConditionClassifier, ConditionHead

RUNTIMES = ["onnx", "openvino_fp32", "openvino_bf16", "torchscript"]
INFO = {
    "backbone": "tiny",
    "architecture": "tiny",
    "classes": ["normal", "conditional"],
    "object_types": ["rock_toe", "vegetation"],
    "spatial_features": ["x", "y"],
    "image_size": 224,
    "head": "mlp",
    "weights": {"origin": "random", "detail": "test"},
}
BUDGET = {
    "max_probability_difference": 1e-3,
    "max_accuracy_drop": 1e-3,
    "max_rounded_accuracy_drop": 0.03,
    "runtimes": RUNTIMES,
}


class Tiny(nn.Module):
    def forward(self, pixels):
        return nn.functional.normalize(pixels.mean(dim=(2, 3)), dim=1)


def model(spatial=2, type_embedding=4):
    torch.manual_seed(0)
    head = ConditionHead(
        features=3,
        types=2,
        type_embedding=type_embedding,
        spatial=spatial,
        hidden=[8] if spatial else [],
        classes=2,
        dropout=0.3,
    )
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.mul_(3)  # probabilities away from one half
    return ConditionClassifier(Tiny(), head).eval()


def exported(folder, module, info):
    metadata = describe(info, source={"project": "infrastructure", "source": "sample", "content": "c"})
    write_json(folder / "metadata.json", metadata)
    export_condition(module, folder / "model.onnx", metadata=metadata, runtimes=RUNTIMES)
    return folder


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("export"), model(), INFO)


@pytest.fixture(scope="module")
def test_set(tmp_path_factory):
    from PIL import Image

    folder = tmp_path_factory.mktemp("crops")
    draw = np.random.default_rng(0)
    paths = []
    for index, (height, width) in enumerate([(3, 300), (120, 40), (1, 1), (224, 224), (57, 83)] * 8):
        paths.append(folder / f"{index}.png")
        Image.fromarray(draw.integers(0, 255, (height, width, 3)).astype(np.uint8)).save(paths[-1])
    types = draw.integers(0, 2, 40)
    return {
        "crops": paths,
        "types": types,
        "spatial": draw.random((40, 2)).astype(np.float32),
        "labels": types,
        "groups": [path.name for path in paths],
    }


def test_the_export_answers_as_the_model_on_crops_of_any_size(export, test_set):
    report = check_condition_parity(model(), INFO, export, **test_set, **BUDGET)
    assert report["images"] == 40 and "312x517" in report["odd_images"]
    assert list(report["runtimes"]) == RUNTIMES
    for name in ("onnx", "openvino_fp32", "torchscript"):
        found = report["runtimes"][name]
        assert found["changed_decisions"] == 0 and found["max_probability_difference"] < 1e-4
    assert read_json(export / "parity.json") == report


def test_an_export_of_another_model_is_over_budget(export, test_set):
    other = model()
    with torch.no_grad():
        other.head.layers[0].bias.add_(1)
    with pytest.raises(ParityError, match="probabilities differ"):
        check_condition_parity(other, INFO, export, **test_set, **BUDGET)


def test_type_and_place_reach_the_answer(export):
    predictor = ConditionPredictor.load(export)
    crop = [np.full((20, 30, 3), 90, np.uint8)] * 3
    answers = predictor.predict(crop, ["rock_toe", "vegetation", "rock_toe"], [[0, 0], [0, 0], [1, 1]])
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)
    assert np.abs(answers[0] - answers[1]).max() > 1e-3 and np.abs(answers[0] - answers[2]).max() > 1e-3
    table = pd.DataFrame({"object_type": ["vegetation"], "x": [0.0], "y": [0.0]}, index=[7])
    found = predictor.predict_table(table, crop[:1])
    assert found.columns.tolist() == ["normal", "conditional", "predicted"]
    assert found.loc[7, "normal"] == pytest.approx(answers[1][0], abs=1e-6)


def test_a_head_that_reads_the_picture_alone_asks_for_no_place(tmp_path):
    info = INFO | {"spatial_features": []}
    folder = exported(tmp_path, model(spatial=0, type_embedding=0), info)
    for runtime in RUNTIMES:
        predictor = ConditionPredictor.load(folder, runtime)
        answer = predictor.predict([np.zeros((5, 9, 3), np.uint8)], ["rock_toe"], np.zeros((1, 0)))
        assert answer.shape == (1, 2)
    asked = set(ConditionPredictor.load(folder).opened.inputs)
    assert "pixels" in asked and "spatial" not in asked


@pytest.mark.parametrize(
    ("types", "spatial", "said"),
    [
        (["tree"], [[0, 0]], "object type 'tree'"),
        (["rock_toe"], [[0]], "expected finite x, y"),
        (["rock_toe"], [[0, np.nan]], "expected finite x, y"),
        (["rock_toe", "rock_toe"], [[0, 0]], "2 types for 1 crops"),
    ],
)
def test_what_is_missing_or_unknown_is_said_in_one_line(export, types, spatial, said):
    predictor = ConditionPredictor.load(export)
    with pytest.raises(UserError, match=said):
        predictor.predict([np.zeros((5, 5, 3), np.uint8)], types, spatial)
    with pytest.raises(UserError, match="column x missing"):
        predictor.predict_table(pd.DataFrame({"object_type": [], "y": []}), [])


def test_files_of_different_exports_are_refused(export, tmp_path):
    (tmp_path / "model.onnx").write_bytes((export / "model.onnx").read_bytes())
    with pytest.raises(UserError, match="not found"):
        ConditionPredictor.load(tmp_path)
    write_json(tmp_path / "metadata.json", read_json(export / "metadata.json") | {"seed": 9})
    with pytest.raises(UserError, match="not the export"):
        ConditionPredictor.load(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(UserError, match="cannot be loaded"):
        ConditionPredictor.load(tmp_path)
