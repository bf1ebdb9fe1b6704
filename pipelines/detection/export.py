"""pipelines/export.py for detectors: every file takes fitted pictures and answers every anchor."""

from functools import partial
from pathlib import Path
from typing import Any

from assay.config import DetectionConfig


def main(cfg: DetectionConfig) -> dict[str, Any]:
    """Export and verify; returns the parity report."""
    from assay.data.classification import read_manifest
    from assay.data.images import read_image
    from assay.errors import UserError
    from assay.export.detection import DetectorPredictor, export_detector
    from assay.export.detection_parity import check_detector_parity
    from assay.export.metadata import describe_detector
    from assay.models.detector import load_detector
    from pipelines.detection.exported import evaluated, map50_drop
    from pipelines.exporting import calibrating, exporting

    build, how, runtimes = Path(cfg.build), cfg.evaluate.inference, cfg.export.runtimes
    if how.tta or how.ensemble:
        raise UserError(
            f"experiment={cfg.experiment.id}: an export is one network and one look, it would answer otherwise than "
            "what was evaluated; export the detectors one by one (evaluate.inference.tta=false, ensemble=[])"
        )
    stored = evaluated(cfg)
    with exporting(cfg) as export:
        detector, _ = load_detector(build / "model")
        manifest = read_manifest(build / "dataset")
        calibration, said = calibrating(cfg, export.folder, manifest)
        metadata = export.describe(
            describe_detector(
                export.info,
                source=export.source,
                thresholds=stored.thresholds,
                nms_iou=how.nms_iou,
                grouping=how.grouping.model_dump() if how.grouping else None,
            )
            | said
        )
        shown = [build / "dataset" / image for image in calibration]
        export_detector(
            detector,
            export.folder / "model.onnx",
            metadata=metadata,
            runtimes=runtimes,
            calibration=shown,
        )
        images = [read_image(build / "dataset" / image) for image in stored.images[:_PARITY_IMAGES]]
        report = check_detector_parity(
            detector,
            export.folder,
            runtimes=runtimes,
            images=images,
            scored=partial(map50_drop, cfg, stored),
            **cfg.export.model_dump(exclude={"runtimes", "calibration_images"}),
        )
        asked: Any = {"confidence": how.confidence, "nms_iou": how.nms_iou, "max_boxes": 100}
        for runtime, found in report["runtimes"].items():
            predictor = DetectorPredictor.load(export.folder, runtime)
            one = partial(_one, predictor, images[:1], asked)
            export.measured(runtime, found, _MEASURED, one)
    return report


def _one(predictor: Any, images: Any, asked: Any) -> list[Any]:
    return list(predictor.predict(images, **asked))


_PARITY_IMAGES = 40  # compared anchor by anchor; mAP is compared on all
_MEASURED = ("max_score_difference", "max_box_difference", "map50_drop")
