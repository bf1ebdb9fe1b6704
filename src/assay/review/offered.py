"""What a project offers for review, whatever its task: the candidates, their pictures, what may be answered."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from assay.errors import UserError
from assay.files import read_json
from assay.review.answers import Answer, box_answers, label_answers
from assay.review.apply import SECONDS_PER_DECISION, settling
from assay.review.decisions import Decision, read_decisions
from assay.review.hard_examples import SECONDS_PER_DECISION as SECONDS_PER_FRAME
from assay.review.hard_examples import box_labels, use_of

# classified; conditions; a detector's frames, or its images
What = Literal["crops", "boxes", "clips", "images"]


@dataclass(frozen=True)
class Offered:
    """The candidates of a project, as plain values that fit on a command line (see `to_json`)."""

    project: str
    what: What
    build: str
    data: str
    labels: tuple[str, ...]
    classes: tuple[str, ...]
    things: tuple[str, ...] = ()  # what boxes may be drawn around; () for crops

    def to_json(self) -> str:
        """For another process; `from_json` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Offered":
        """Read what `to_json` wrote."""
        from pydantic import TypeAdapter

        return TypeAdapter(cls).validate_json(text)

    @property
    def boxes(self) -> bool:
        """Whether it is about a detector's candidates: whole pictures in which objects may show."""
        return self.what in ("clips", "images")

    @property
    def seconds(self) -> float:
        """Assumed for one decision."""
        return SECONDS_PER_FRAME if self.boxes else SECONDS_PER_DECISION

    @property
    def folder(self) -> Path:
        """Of the recorded decisions."""
        return Path("reviews") / self.project

    @property
    def exports(self) -> Path:
        """Where exports are written."""
        return Path("runs/review") / self.project

    def table(self) -> pd.DataFrame:
        """The candidates as mined.

        Raises:
            UserError: nothing was mined yet.
        """
        path = Path(self.build) / "candidates/candidates.parquet"
        if not path.is_file():
            raise UserError(f"{path}: no such file; run `dvc repro mine@{self.project}`")
        return pd.read_parquet(path)

    @property
    def version(self) -> int:
        """Another number after every mining: when its table was written, ns."""
        return (Path(self.build) / "candidates/candidates.parquet").stat().st_mtime_ns

    @property
    def model(self) -> str:
        """Hash of the model that mined."""
        return str(read_json(Path(self.build) / "candidates/mined_by.json")["id"])

    def decisions(self) -> list[Decision]:
        """What stands, of all reviewers, oldest first."""
        return read_decisions(self.folder, box_labels(self.labels) if self.boxes else self.labels)

    def answers(self, row: Mapping[Any, Any], *, blind: bool = False) -> list[Answer]:
        """What may be answered about a candidate; blind, nobody is told the label that it has."""
        if self.boxes:
            return box_answers(self.labels, self.classes)
        return label_answers(self.labels, "" if blind else str(row["label"]))

    def use(self, decision: Decision, row: Mapping[Any, Any]) -> str:
        """What training may do with a candidate that is settled so; for classifiers: train."""
        if not self.boxes:
            return "train"
        return use_of(decision, self.classes, labelled=row.get("labelled", 0) > 0)

    def picture(self, image: str) -> Path:
        """The file that shows the candidate `image`."""
        build = Path(self.build)
        match self.what:
            case "crops":
                return Path(self.data) / image
            case "boxes":
                return build / "dataset" / self._crops[image]
            case "clips":
                return build / "candidates" / image
            case "images":
                return build / "dataset" / image

    @cached_property
    def _crops(self) -> dict[str, str]:
        from assay.data.condition import read_manifest

        manifest = read_manifest(Path(self.build) / "dataset")
        return dict(zip(manifest["image"], manifest["crop"], strict=True))

    def decided(self, decisions: Sequence[Decision]) -> pd.DataFrame:
        """The candidates with what a person settled: decided (a label, or "undecided"), use, reviewer, at."""
        settled = settling(decisions, sample_data=False)
        table = self.table()
        said = [settled.get(candidate) for candidate in table["candidate"]]
        rows = table.to_dict("records")
        return table.assign(
            decided=["undecided" if d is None else d.label for d in said],
            use=["" if d is None else self.use(d, row) for d, row in zip(said, rows, strict=True)],
            reviewer=["" if d is None else d.reviewer for d in said],
            at=["" if d is None else d.at.isoformat() for d in said],
            covered_by=["" if d is None else d.covered_by for d in said],
        )


def draw(
    picture: np.ndarray,
    boxes: str,
    classes: Sequence[str],
    *,
    scores: bool,
    longest: int = 1100,
    most: float = 5,
) -> np.ndarray:
    """A candidate as a reviewer sees it: enlarged or shrunk, with its boxes.

    Args:
        picture: uint8 (H, W, 3) RGB.
        boxes: as stored beside the candidate (see `assay.mining.boxes_json`), or "" for none.
        classes: names; a class keeps its colour.
        scores: whether to write the model's.
        longest: px of the longer side.
        most: times that a small crop is enlarged.
    """
    from PIL import Image

    from assay.mining.boxes_page import draw_boxes

    height, width = picture.shape[:2]
    scale = min(longest / max(height, width), most)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shown = np.array(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    found = json.loads(boxes) if boxes else []
    return draw_boxes(shown, found, classes, scale=scale, thickness=2, text=0.45, scores=scores)
