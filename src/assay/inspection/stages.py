"""A photo in; its objects out, each with its condition: the detector's export, then the condition classifier's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.data.condition import cut
from assay.data.condition_features import geometric, relational
from assay.data.images import Pixels
from assay.data.items import size_problem
from assay.errors import UserError

if TYPE_CHECKING:
    from assay.export.condition_predictor import ConditionPredictor
    from assay.export.runtimes import Runtime

DETECTOR = Path("build/infrastructure/export")
CONDITIONS = Path("build/conditions/export")
SHOWN = 0.25  # a box at or above it is what a detector says, where nothing else is said
_MAX_BOXES = 300


class Detecting(Protocol):
    """Stage 1: `assay.export.detection.DetectorPredictor`, or whatever behaves like it."""

    classes: tuple[str, ...]

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Of the export: thresholds by class, nms_iou."""

    def predict(
        self, images: Iterable[Any], *, confidence: float, nms_iou: float, max_boxes: int, batch: int = 8
    ) -> Any:
        """Detections of each picture."""


class Judging(Protocol):
    """Stage 2: `assay.export.condition_predictor.ConditionPredictor`, or whatever behaves like it."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Of the export: object_types, spatial_features."""

    @property
    def classes(self) -> list[str]:
        """Conditions, in the order of the columns."""

    def predict(
        self, crops: Sequence[Any], object_types: Sequence[str], spatial: NDArray[Any], *, batch: int = 32
    ) -> NDArray[np.float32]:
        """(N, conditions) probabilities."""


class UnusablePhoto(Exception):  # noqa: N818 - it names what is wrong with a photo, as BadImage does
    """A photo that can't be inspected; its text says why in a few words."""


@dataclass(frozen=True)
class Inspector:
    """Both stages, opened. about: what the answers are told to come from, by stage."""

    detector: Detecting
    conditions: Judging
    about: Mapping[str, Any]

    @classmethod
    def load(
        cls,
        detector: Path = DETECTOR,
        conditions: Path = CONDITIONS,
        *,
        runtime: "Runtime" = "onnx",
        threads: int | None = None,
    ) -> "Inspector":
        """Open both exports in one runtime; threads: CPU threads of one answer, None = all cores.

        Raises:
            UserError: there is no such runtime, a file is missing or damaged, one is the other's kind, or stage 2 does
                not know a class of stage 1.
        """
        from assay.export.detection import DetectorPredictor
        from assay.export.runtimes import FILES

        if runtime not in FILES:
            raise UserError(f"--runtime {runtime}: expected one of {', '.join(FILES)}")
        first = DetectorPredictor.load(detector, runtime, threads=threads)
        _require_task(detector, first.metadata, "detection")
        second = judge_of(conditions, first.classes, str(detector), runtime=runtime, threads=threads)
        named = ("experiment", "architecture", "classes", "image_size", "source")
        about = {
            stage: {key: metadata.get(key) for key in named}
            for stage, metadata in (("detector", first.metadata), ("conditions", second.metadata))
        }
        return cls(first, second, about)

    def thresholds(self, asked: Mapping[str, float] | None = None) -> dict[str, float]:
        """Confidence from which a box counts, by class: what was asked for, else what the detector was evaluated with.

        Raises UserError for a class that the detector does not know, or a confidence outside 0 to 1.
        """
        own = {
            name: float(self.detector.metadata["thresholds"].get(name, SHOWN))
            for name in self.detector.classes
        }
        for name, value in (asked or {}).items():
            if name not in own:
                raise UserError(f"confidence of {name!r}: the detector finds {', '.join(own)}")
            if not 0 <= value <= 1:
                raise UserError(f"confidence of {name} {value:g}: expected 0 to 1")
        return own | dict(asked or {})

    def inspect(self, picture: Pixels, *, confidence: Mapping[str, float] | None = None) -> dict[str, Any]:
        """Everything about one photo, uint8 (H, W, 3) RGB, as JSON values.

        Returns {"width", "height", "objects", "dropped"}; an object has label, confidence, box (left, top, right, bottom
        in px), condition, condition_confidence, probabilities by condition and the numbers of its place that stage 2
        read. dropped: boxes of less than a pixel. No objects is an answer, no error.

        confidence: by class, instead of the detector's own thresholds.

        Raises:
            UnusablePhoto: the photo is smaller than an object can be.
            UserError: as `thresholds`.
        """
        height, width = picture.shape[:2]
        if problem := size_problem(width, height):
            raise UnusablePhoto(problem)
        shown = self.thresholds(confidence)
        found = next(
            iter(
                self.detector.predict(
                    [picture],
                    confidence=min(shown.values()),
                    nms_iou=self.detector.metadata["nms_iou"],
                    max_boxes=_MAX_BOXES,
                )
            )
        )
        labels = [self.detector.classes[index] for index in found.class_id]
        sure = [float(score) >= shown[label] for label, score in zip(labels, found.confidence, strict=True)]
        solid = (np.diff(found.xyxy.reshape(-1, 2, 2), axis=1)[:, 0] >= 1).all(axis=1)
        kept = np.flatnonzero(np.array(sure, bool) & solid)
        boxes = found.xyxy[kept].astype(np.float64)
        kinds, scores = [labels[k] for k in kept], found.confidence[kept].astype(np.float64)
        return {
            "width": width,
            "height": height,
            "objects": judged(self.conditions, picture, boxes, kinds, scores),
            "dropped": int((np.array(sure, bool) & ~solid).sum()),
        }


def judge_of(
    folder: Path,
    classes: Sequence[str],
    finder: str,
    *,
    runtime: "Runtime" = "onnx",
    threads: int | None = None,
) -> "ConditionPredictor":
    """Open stage 2, which must know every class that `finder`, a detector, finds.

    Raises:
        UserError: a file is missing or damaged, it is another kind of export, or it does not know a class.
    """
    from assay.export.condition_predictor import ConditionPredictor

    judge = ConditionPredictor.load(folder, runtime, threads=threads)
    _require_task(folder, judge.metadata, "condition")
    unknown = [name for name in classes if name not in judge.metadata["object_types"]]
    if unknown:
        raise UserError(
            f"{folder}: knows no {', '.join(unknown)}, which {finder} finds; take exports of one inspection"
        )
    return judge


def _require_task(folder: Path, metadata: Mapping[str, Any], task: str) -> None:
    if metadata.get("task") != task:
        raise UserError(
            f"{folder}: an export of task {metadata.get('task')}, expected {task}; each stage has an export of its own"
        )


def judged(
    conditions: Judging,
    picture: Pixels,
    boxes: NDArray[np.float64],
    kinds: Sequence[str],
    scores: NDArray[np.float64],
) -> list[dict[str, Any]]:
    """What stage 2 says of a photo's N boxes (px), their classes and the detector's scores: see `Inspector.inspect`.

    Raises UserError for a class that it does not know.
    """
    if not len(boxes):
        return []
    height, width = picture.shape[:2]
    shares = boxes / (width, height, width, height)
    place = places(shares, kinds, scores, (width, height))
    spatial = place[list(conditions.metadata["spatial_features"])]
    crops = [cut(picture, box) for box in shares]
    found = conditions.predict(crops, list(kinds), spatial.to_numpy(np.float32))
    names = conditions.classes
    return [
        {
            "label": kind,
            "confidence": round(float(score), 4),
            "box": [round(float(side), 1) for side in box],
            "condition": names[int(row.argmax())],
            "condition_confidence": round(float(row.max()), 4),
            "probabilities": {name: round(float(p), 4) for name, p in zip(names, row, strict=True)},
            "place": {name: round(float(value), 4) for name, value in numbers.items()},
        }
        for kind, score, box, row, numbers in zip(
            kinds, scores, boxes, found, spatial.to_dict("records"), strict=True
        )
    ]


def unsure(
    conditions: Judging,
    picture: Pixels,
    found: Any,
    *,
    classes: Sequence[str],
    thresholds: Mapping[str, float],
    below: float,
) -> tuple[str, float, str] | None:
    """A reason to look at a photo, for `assay.mining.images.rank_images`: an object whose condition is unsure.

    Args:
        conditions: stage 2.
        picture: uint8 (H, W, 3) RGB.
        found: the detector's detections in it.
        classes: the detector's.
        thresholds: by class; detections from there on are judged.
        below: the probability, 0 to 1, under which the most likely condition is unsure.

    Returns:
        "unsure_condition", 1 - the least sure object's probability, its class; None where all are sure.
    """
    least_of = np.array([thresholds[name] for name in classes])
    shown = np.flatnonzero(found.confidence >= least_of[found.class_id.astype(int)])
    kinds, scores = [classes[found.class_id[k]] for k in shown], found.confidence[shown].astype(np.float64)
    objects = judged(conditions, picture, found.xyxy[shown].astype(np.float64), kinds, scores)
    least = min(objects, key=lambda one: float(one["condition_confidence"]), default=None)
    if least is None or least["condition_confidence"] >= below:
        return None
    return "unsure_condition", 1 - float(least["condition_confidence"]), str(least["label"])


def places(
    shares: NDArray[np.float64], kinds: Sequence[str], scores: NDArray[np.float64], size: tuple[int, int]
) -> pd.DataFrame:
    """Every spatial feature of a photo's N boxes, under each name that a condition classifier may ask for.

    shares: (N, 4) boxes as shares of the photo. scores: (N,) the detector's. size: width and height of the photo, px.
    """
    photo = [""] * len(shares)
    numbers = geometric(shares, photo, np.tile(np.array(size, np.float64), (len(shares), 1)))
    found = relational(shares, kinds, photo, scores, np.ones(len(shares), bool))
    again = {f"recomputed_{name}": values for name, values in found.items()}
    return pd.DataFrame({**numbers, **found, **again})


def inspect_photo(
    photo: Path | Pixels, *, detector: Path = DETECTOR, conditions: Path = CONDITIONS
) -> dict[str, Any]:
    """One call from a photo to conditions: opens both exports and inspects it, see `Inspector.inspect`.

    For more than one photo open an `Inspector` once.

    Raises:
        UserError: the photo or an export can't be read.
        UnusablePhoto: the photo is smaller than an object can be.
    """
    from assay.export.predictor import pixels_of

    return Inspector.load(detector, conditions).inspect(pixels_of(photo))
