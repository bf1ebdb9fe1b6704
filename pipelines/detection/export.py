"""pipelines/export.py for detectors: model.onnx takes fitted pictures and answers every anchor."""

from pathlib import Path
from typing import Any

from assay.config import DetectionConfig


def main(cfg: DetectionConfig) -> dict[str, Any]:
    """Export and verify; returns the parity report."""
    from assay.data.classification import read_manifest
    from assay.data.images import read_image
    from assay.errors import UserError
    from assay.export.detection import DetectorPredictor, check_detector_parity, export_detector
    from assay.export.metadata import describe_detector
    from assay.export.parity import ParityError
    from assay.files import read_json, write_json
    from assay.models.detector import load_detector
    from pipelines.detection.exported import map50_drop
    from pipelines.exporting import exporting

    build, how = Path(cfg.build), cfg.evaluate.inference
    if how.tta or how.ensemble:
        raise UserError(
            f"experiment={cfg.experiment.id}: an export is one network and one look, it would answer otherwise than "
            "what was evaluated; export the detectors one by one (evaluate.inference.tta=false, ensemble=[])"
        )
    chosen = build / "evaluation/thresholds.json"
    if not chosen.is_file():
        raise UserError(
            f"{chosen}: missing; evaluate the model first (`dvc repro evaluate@{cfg.project.name}`)"
        )
    with exporting(cfg) as export:
        detector, _ = load_detector(build / "model")
        manifest = read_manifest(build / "dataset")
        metadata = export.describe(
            describe_detector(
                export.info,
                source=export.source,
                thresholds=read_json(chosen)["thresholds"],
                nms_iou=how.nms_iou,
            )
        )
        export_detector(detector, export.folder / "model.onnx", metadata=metadata)
        held_out = manifest.loc[manifest["split"] == "val", "image"]
        images = [read_image(build / "dataset" / image) for image in held_out.head(_PARITY_IMAGES)]
        budget = cfg.export.model_dump(include={"max_score_difference", "max_box_difference"})
        report = check_detector_parity(detector, export.folder, images=images, **budget)
        found = report["runtimes"]["onnx"] | map50_drop(cfg, export.folder)
        report |= {"runtimes": {"onnx": found}}
        write_json(export.folder / "parity.json", report)
        if found["map50_drop"] > cfg.export.max_map50_drop:
            raise ParityError(
                f"onnx loses {found['map50_drop']:.4f} of mAP50, {cfg.export.max_map50_drop} is allowed",
                report,
            )
        predictor = DetectorPredictor.load(export.folder)
        asked: Any = {"confidence": how.confidence, "nms_iou": how.nms_iou, "max_boxes": 100}
        export.measured("onnx", found, _MEASURED, lambda: list(predictor.predict(images[:1], **asked)))
    return report


_PARITY_IMAGES = 40  # compared anchor by anchor; mAP is compared on all
_MEASURED = ("max_score_difference", "max_box_difference", "map50_drop")
