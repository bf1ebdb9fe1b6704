"""What an export is held to: the thresholds and boxes that the evaluation of its own model stored."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig
from assay.errors import UserError

if TYPE_CHECKING:
    from assay.evaluation.boxes import BoxPredictions
    from assay.export.detection import DetectorPredictor


@dataclass(frozen=True)
class Evaluated:
    """What evaluate stored of the model.

    images: of the test split, or where no object is annotated there of validation, which chose the epoch.
    """

    thresholds: dict[str, float]
    boxes: "BoxPredictions"
    images: list[str]


def evaluated(cfg: DetectionConfig) -> Evaluated:
    """Read what the evaluate stage stored of the model in build/<project>/model.

    Raises:
        UserError: it is missing, or of another model or other data; the model is not the one `cfg` names.
    """
    from assay.data.classification import source_of
    from assay.evaluation.boxes import read_boxes
    from assay.files import read_json
    from pipelines.detection.scoring import splits_of
    from pipelines.recording import trained_as

    build = Path(cfg.build)
    model = trained_as(cfg, build / "model")["id"]
    chosen, found = build / "evaluation/thresholds.json", build / "evaluation/predictions.parquet"
    again = f"evaluate the model first (`dvc repro evaluate@{cfg.project.name}`)"
    if not chosen.is_file():
        raise UserError(f"{chosen}: missing; {again}")
    told, boxes = read_json(chosen), read_boxes(found, content=source_of(build / "dataset")["content"])
    for path, made_by in ((chosen, told["model"]), (found, boxes.models["model"]["hash"])):
        if made_by != model:
            raise UserError(f"{path}: of model {made_by[:12]}, not of {build}/model ({model[:12]}); {again}")
    marked = set(boxes.truth.loc[~boxes.truth["ignore"].astype(bool), "image"])
    splits = [boxes.split(split)["image"].tolist() for split in splits_of(boxes)]
    judged = next((images for images in reversed(splits) if marked & {*images}), splits[0])
    return Evaluated(told["thresholds"], boxes, judged)


def map50_drop(cfg: DetectionConfig, stored: Evaluated, predictor: "DetectorPredictor") -> dict[str, Any]:
    """mAP50 of an export, the whole path on all images, and how much less it is than the model's stored boxes give."""
    from assay.data.images import read_image
    from assay.evaluation.boxes import rows_of
    from assay.evaluation.coco import coco_scores

    dataset, how, images = Path(cfg.build) / "dataset", cfg.evaluate, stored.images
    found = predictor.predict(
        (read_image(dataset / image) for image in images),
        confidence=how.min_score,
        nms_iou=how.inference.nms_iou,
        max_boxes=how.max_boxes,
    )
    boxes = rows_of("export", dict(zip(images, found, strict=True)), predictor.classes)
    truth = stored.boxes.truth[stored.boxes.truth["image"].isin(images)]
    scores = {
        name: coco_scores(table, truth, images, stored.boxes.classes).map50
        for name, table in (("model", stored.boxes.of("model")), ("export", boxes))
    }
    return {
        "map50": scores["export"],
        "map50_drop": scores["model"] - scores["export"],
        "map50_images": len(images),
    }
