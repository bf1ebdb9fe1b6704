"""The metric of an export beside its model's: the whole path, on all validation images."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig

if TYPE_CHECKING:
    from assay.export.detection import DetectorPredictor


def map50_drop(cfg: DetectionConfig, predictor: "DetectorPredictor") -> dict[str, Any]:
    """mAP50 of an export and how much less it is than the model's stored boxes give."""
    import pandas as pd

    from assay.data.images import read_image
    from assay.evaluation.boxes import read_boxes, rows_of
    from assay.evaluation.coco import coco_scores

    dataset, how = Path(cfg.build) / "dataset", cfg.evaluate
    stored = read_boxes(Path(cfg.build) / "evaluation/predictions.parquet")
    images = stored.split("val")["image"].tolist()
    found = predictor.predict(
        (read_image(dataset / image) for image in images),
        confidence=how.min_score,
        nms_iou=how.inference.nms_iou,
        max_boxes=how.max_boxes,
    )
    boxes: pd.DataFrame = rows_of("export", dict(zip(images, found, strict=True)), predictor.classes)
    truth = stored.truth[stored.truth["image"].isin(images)]
    scores = {
        name: coco_scores(table, truth, images, stored.classes).map50
        for name, table in (("model", stored.of("model")), ("export", boxes))
    }
    return {
        "map50": scores["export"],
        "map50_drop": scores["model"] - scores["export"],
        "map50_images": len(images),
    }
