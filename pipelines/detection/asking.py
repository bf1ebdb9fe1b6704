"""How a trained detector is asked: alone, with test-time augmentation, with others that vote."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig

if TYPE_CHECKING:
    import numpy as np
    from supervision import Detections

    from assay.models.detector import Detector

VIEWS = (
    (1.0, False),
    (0.83, True),
    (0.67, False),
)  # scale and mirror of each look: Ultralytics' own augmentation
_FUSED = 0.55  # IoU from which boxes of several looks are one: the default of ensemble_boxes
_STRIDE = 32


def stored(cfg: DetectionConfig, experiment: str) -> Path:
    """Where the model that `experiment` trained last, with the same profile, is kept for others to go on from."""
    return Path("runs/models") / cfg.project.name / experiment / cfg.profile.name


def looks_of(cfg: DetectionConfig, detector: "Detector") -> "list[tuple[Detector, bool]]":
    """Every look that `detector` and its ensemble take at a picture: a detector, and whether it sees it mirrored.

    Raises:
        UserError: a member of the ensemble is not trained here, or finds other classes.
    """
    from assay.errors import UserError
    from assay.models.detector import Detector, load_detector

    members, asked = [detector], cfg.evaluate.inference
    for experiment in asked.ensemble:
        folder = stored(cfg, experiment)
        if not (folder / "model.json").is_file():
            raise UserError(
                f"evaluate.inference.ensemble: {experiment} is not trained here ({folder} is missing); train it first: "
                f"python -m pipelines.train project={cfg.project.name} experiment={experiment} profile={cfg.profile.name}"
            )
        member, _ = load_detector(folder)
        if member.classes != detector.classes:
            raise UserError(
                f"evaluate.inference.ensemble: {experiment} finds {', '.join(member.classes)}, not "
                f"{', '.join(detector.classes)}; leave it out or train it again"
            )
        members.append(member)
    if not asked.tta:
        return [(member, False) for member in members]
    return [
        (
            Detector(
                member.module,
                classes=member.classes,
                image_size=max(round(scale * member.image_size / _STRIDE), 1) * _STRIDE,
            ),
            mirrored,
        )
        for member in members
        for scale, mirrored in VIEWS
    ]


def ask(
    cfg: DetectionConfig, detector: "Detector", images: "Iterable[np.ndarray]", *, alone: bool
) -> "Iterator[Detections]":
    """Yield the boxes of each picture as the configuration asks for them.

    alone: ask `detector` by itself whatever the configuration says, as the baseline is asked.
    """
    from assay.evaluation.fusion import fuse

    how = cfg.evaluate
    settings: Any = {
        "confidence": how.min_score,
        "nms_iou": how.inference.nms_iou,
        "max_boxes": how.max_boxes,
    }
    looks = [(detector, False)] if alone else looks_of(cfg, detector)
    if len(looks) == 1:
        yield from detector.predict(images, **settings)
        return
    for image in images:
        found = [next(one.predict([image], flip=mirrored, **settings)) for one, mirrored in looks]
        height, width = image.shape[:2]
        yield fuse(found, width=width, height=height, iou=_FUSED, max_boxes=how.max_boxes)
