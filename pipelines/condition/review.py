"""Apply what reviewers decided about conditions; never asks anything, says how many wait.

Reads reviews/conditions/*.jsonl. Human decisions count, a model's where review.kinds asks for it; the sample's
generator answers for sample data only. Objects that reviewers drew in photos (`assay review boxes`) become instances of
their own. Writes build/conditions/hard_examples.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config.condition import ConditionConfig

if TYPE_CHECKING:
    import pandas as pd

    from assay.review.decisions import Decision

TRUTH = "truth_conditions.csv"  # of the sample: instance, truth, note


def main(cfg: ConditionConfig) -> dict[str, Any]:
    """Apply recorded decisions; returns the summary."""
    from assay.data.condition import read_manifest
    from assay.review.apply import apply_decisions, settling
    from assay.review.decisions import DRAWN
    from assay.review.settle import settle
    from pipelines.recording import stage_run

    build = Path(cfg.build)
    with stage_run(cfg, "review", sections=("project", "data", "review")) as run:
        manifest = read_manifest(build / "dataset")
        boxes = manifest[manifest["split"] == "train"].assign(candidate=lambda rows: rows["sha256"].str[:12])
        drawn: list[Decision] = []
        summary: dict[str, Any] = {}

        def rule(
            candidates: "pd.DataFrame", decisions: "list[Decision]", *, sample_data: bool
        ) -> "tuple[pd.DataFrame, dict[str, Any]]":
            settled = settling(decisions, sample_data=sample_data, kinds=cfg.review.kinds)
            drawn.extend(one for one in settled.values() if one.label == DRAWN)  # of photos, not of boxes
            examples, told = apply_decisions(
                candidates,
                [one for one in decisions if one.label != DRAWN],
                images=boxes,
                sample_data=sample_data,
                kinds=cfg.review.kinds,
            )
            summary.update(told)
            return examples, summary

        def add(folder: Path, examples: "pd.DataFrame") -> None:
            summary.update(_add_drawn(cfg, folder, drawn, manifest))

        return settle(
            build,
            run,
            project=cfg.project.name,
            data=cfg.data,
            labels=cfg.review.labels,
            truth=lambda candidates: _sample_truth(candidates, Path(cfg.data) / TRUTH),
            rule=rule,
            things="boxes",
            fill=add,
        )


def _add_drawn(
    cfg: ConditionConfig, folder: Path, decisions: "list[Decision]", manifest: "pd.DataFrame"
) -> dict[str, int]:
    """Objects that reviewers drew become instances: crops/, drawn.parquet, drawn.csv (labels) in `folder`; counts."""
    from assay.data.condition_added import DrawnPhoto, add_photos

    photos = [
        DrawnPhoto(
            photo=one.image,
            candidate=one.candidate,
            at=one.at.isoformat(),
            boxes=[thing.box for thing in one.drawn],
            object_types=[thing.label for thing in one.drawn],
            labels=[_as_one_of_two(thing.condition, cfg.project.classes) for thing in one.drawn],
            confidence=[thing.confidence for thing in one.drawn],
        )
        for one in decisions
    ]
    found = add_photos(
        folder,
        photos,
        manifest,
        data=Path(cfg.data),
        distance=cfg.prepare.near_duplicate_distance,
        dropped="unusable",
    )
    found.rows.to_parquet(folder / "drawn.parquet", index=False)
    found.labels.to_csv(folder / "drawn.csv", index=False)
    for photo, reason in found.refused:
        print(f"{photo}: its drawn boxes are left out: {reason}")
    if photos:
        print(f"{len(found.rows)} boxes drawn by reviewers on {len(photos) - len(found.refused)} photos")
    return {
        "photos_drawn": len(photos),
        "photos_refused": len(found.refused),
        "instances_drawn": len(found.rows),
    }


def _as_one_of_two(condition: str, classes: "tuple[str, ...]") -> str:
    """normal or conditional of what was said; blocked and damaged are conditional, "" stays."""
    return condition if condition in ("", *classes) else classes[1]


def _sample_truth(candidates: "pd.DataFrame", truth: Path) -> "list[Decision]":
    """The generator's own answers about the sample's boxes; none where it wrote no table of them."""
    import pandas as pd

    from assay.review.decisions import Decision

    if not truth.is_file():
        return []
    table = pd.read_csv(truth, keep_default_na=False).set_index("instance")["truth"]
    return [
        Decision(
            candidate=row["candidate"],
            image=row["image"],
            label=table[row["image"]],
            reviewer="sample-generator",
            kind="sample-truth",
            at=datetime(2000, 1, 1, tzinfo=UTC),  # fixed: the same sample gives the same bytes
        )
        for row in candidates.to_dict("records")
        if row["image"] in table.index
    ]
