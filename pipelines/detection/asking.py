"""How a trained detector is asked: alone, with test-time augmentation, with others that vote."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig

if TYPE_CHECKING:
    import numpy as np
    from supervision import Detections

    from assay.models.detector import Detector


def stored(cfg: DetectionConfig, experiment: str) -> Path:
    """Where the model that `experiment` trained last, with the same profile, is kept for others to go on from."""
    return Path("runs/models") / cfg.project.name / experiment / cfg.profile.name


def looks_of(cfg: DetectionConfig, detector: "Detector") -> "list[tuple[Detector, bool]]":
    """Every look that `detector` and its ensemble take at a picture: a detector, and whether it sees it mirrored.

    Raises:
        UserError: a member of the ensemble is not trained here, or finds other classes.
    """
    from assay.errors import UserError
    from assay.models.detector import load_detector
    from assay.models.looks import views

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
    return [look for member in members for look in views(member)]


def ask(
    cfg: DetectionConfig, detector: "Detector", images: "Iterable[np.ndarray]", *, alone: bool
) -> "Iterator[Detections]":
    """Yield the boxes of each picture as the configuration asks for them.

    alone: ask `detector` by itself whatever the configuration says, as the baseline is asked.
    """
    from assay.models.looks import fused

    how = cfg.evaluate
    settings: Any = {
        "confidence": how.min_score,
        "nms_iou": how.inference.nms_iou,
        "max_boxes": how.max_boxes,
    }
    looks = [(detector, False)] if alone else looks_of(cfg, detector)
    if len(looks) == 1:
        yield from detector.predict(images, **settings)
    else:
        yield from fused(looks, images, **settings)
