"""pipelines/export.py for image classifiers.

Writes model.onnx, and as export.runtimes asks openvino/ (fp32; bf16 is the same files), openvino_int8/ with
calibration.csv, the training images it was calibrated on, model.torchscript and model.engine (TensorRT).
"""

from functools import partial
from pathlib import Path
from typing import Any

from assay.config import ClassificationConfig


def main(cfg: ClassificationConfig) -> dict[str, Any]:
    """Export and verify; returns the parity report."""
    import torch

    from assay.data.classification import read_manifest
    from assay.export.artifacts import export_others
    from assay.export.deployed import Deployed
    from assay.export.metadata import describe
    from assay.export.onnx import export_onnx
    from assay.export.parity import check_parity
    from assay.export.predictor import Predictor
    from assay.models.classifier import load_classifier
    from pipelines.exporting import calibrating, exporting

    build, runtimes = Path(cfg.build), cfg.export.runtimes
    with exporting(cfg) as export:
        module, _ = load_classifier(build / "model")
        manifest = read_manifest(build / "dataset")
        held_out = manifest[manifest["split"] == "val"]
        images = [Path(cfg.data) / image for image in held_out["image"]]
        thresholds = _thresholds(cfg, build / "model")
        calibration, said = calibrating(cfg, export.folder, manifest)
        metadata = export.describe(describe(export.info, source=export.source, thresholds=thresholds) | said)
        export_onnx(module, export.folder / "model.onnx", metadata=metadata)
        side = metadata["image_size"]
        export_others(
            export.folder,
            runtimes,
            deployed=Deployed(module, metadata["input_mode"]),
            example=(torch.zeros(2, 3, side, side),),
            metadata=metadata,
            calibration=[Path(cfg.data) / image for image in calibration],
        )
        report = check_parity(
            module,
            export.info,
            export.folder,
            runtimes=runtimes,
            images=images,
            labels=held_out["label"].map(export.info["classes"].index).tolist(),
            groups=held_out["group"].tolist(),
            **cfg.export.model_dump(include=_BUDGET),
            draws=cfg.evaluate.bootstrap_draws,
            seed=cfg.seed,
        )
        for name, value in report["denormals"].items():
            export.run.metric(f"export/{name}", value)
        for runtime, found in report["runtimes"].items():
            predictor = Predictor.load(export.folder, runtime)
            export.measured(runtime, found, _MEASURED, partial(predictor.predict, images[:1]))
    return report


def _thresholds(cfg: ClassificationConfig, trained: Path) -> dict[str, float]:
    """From which probability of a pit the model says pit, and maybe: searched where its training kept folds for that."""
    from assay.evaluation.classification import decide
    from assay.evaluation.out_of_fold import read_out_of_fold
    from assay.evaluation.thresholds import searched

    if not (routing := cfg.evaluate.routing):
        return {}
    unseen = read_out_of_fold(trained, cfg.project.classes)
    if unseen is None:
        return {"pit": routing.pit, "maybe": routing.maybe}
    rule = searched(
        decide(unseen, cfg.project.classes), production=(routing.pit, routing.maybe), recall=routing.recall
    )
    return {"pit": rule.pit_at, "maybe": rule.maybe_at}


_BUDGET = {"max_probability_difference", "max_accuracy_drop", "max_rounded_accuracy_drop"}
_MEASURED = ("max_probability_difference", "accuracy_drop", "accuracy_drop_low", "accuracy_drop_high")
