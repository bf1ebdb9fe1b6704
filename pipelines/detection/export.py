"""pipelines/export.py for detectors."""

from functools import partial
from pathlib import Path
from typing import Any

from assay.config import DetectionConfig
from assay.errors import UserError


def main(cfg: DetectionConfig) -> dict[str, Any]:
    """Export and verify; returns the parity report."""
    from assay.data.classification import read_manifest, source_of
    from assay.data.images import read_image
    from assay.export.detection import DetectorPredictor, check_detector_parity, export_detector
    from assay.export.latency import latency
    from assay.export.metadata import describe_detector
    from assay.export.parity import ParityError
    from assay.files import fresh_folder, write_json
    from assay.models.detector import load_detector
    from assay.training.precision import start_torch
    from pipelines.detection.exported import map50_drop
    from pipelines.detection.scoring import thresholds
    from pipelines.recording import MODEL, model_tags, run_name, stage_run, trained_as, version_tags

    start_torch(cfg.seed)
    build, how = Path(cfg.build), cfg.evaluate.inference
    info = trained_as(cfg, build / "model")
    detector, _ = load_detector(build / "model")
    source, manifest = source_of(build / "dataset"), read_manifest(build / "dataset")
    held_out = manifest[manifest["split"] == "val"]
    with (
        stage_run(
            cfg,
            "export",
            sections=(*MODEL, "export"),
            name=run_name(cfg),
            model_id=info["id"],
            tags=model_tags(cfg),
        ) as run,
        fresh_folder(build / "export") as folder,
    ):
        run.data(source)
        metadata = describe_detector(info, source=source, thresholds=thresholds(cfg), nms_iou=how.nms_iou)
        write_json(folder / "metadata.json", metadata)
        export_detector(detector, folder / "model.onnx", metadata=metadata)
        images = [read_image(build / "dataset" / image) for image in held_out["image"].head(_PARITY_IMAGES)]
        budget = cfg.export.model_dump(include={"max_score_difference", "max_box_difference"})
        try:
            report = check_detector_parity(detector, folder, images=images, **budget)
            drop = map50_drop(cfg, folder)
        except ParityError as error:
            run.artifact(folder / "parity.json")
            raise UserError(f"{build}/export: {error}; the report is in {run.folder}/artifacts") from error
        found = report["runtimes"]["onnx"] | drop
        write_json(folder / "parity.json", report | {"runtimes": {"onnx": found}})
        if found["map50_drop"] > cfg.export.max_map50_drop:
            run.artifact(folder / "parity.json")
            raise UserError(
                f"{build}/export: onnx loses {found['map50_drop']:.4f} of mAP50, {cfg.export.max_map50_drop} is allowed"
            )
        predictor = DetectorPredictor.load(folder)
        asked: Any = {"confidence": how.confidence, "nms_iou": how.nms_iou, "max_boxes": 100}
        speed = latency(partial(_all, predictor, images[:1], asked))
        for name in ("max_score_difference", "max_box_difference", "map50_drop"):
            run.metric(f"export/onnx/{name}", found[name])
        run.metric("export/onnx/latency_median_ms", speed["median_ms"])
        for name in ("parity.json", "metadata.json"):
            run.artifact(folder / name)
        run.model(
            cfg.project.registered_model,
            build / "export",
            tags=version_tags(cfg, info, source["source"]) | {"verified": "onnx"},
            aliases=["candidate"],
        )
    print(f"{build}/export: onnx behaves like the model (see parity.json)")
    return report


_PARITY_IMAGES = 40  # compared anchor by anchor; mAP is compared on all


def _all(predictor: Any, images: list[Any], asked: dict[str, Any]) -> None:
    list(predictor.predict(images, **asked))
