"""pipelines/prepare.py for detectors: photos, pages or frames with boxes, and clips where the project has them."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig

if TYPE_CHECKING:
    from assay.data.items import Bad, Item
    from assay.data.workzone import ClipRow


def main(cfg: DetectionConfig) -> dict[str, float]:
    """Prepare the data set; returns its counts."""
    import pandas as pd

    from assay.data.counts import log_counts
    from assay.data.detection import prepare
    from assay.data.detection_findings import warning_of_groups
    from assay.data.source import current_source
    from assay.data.splitting import scored_only
    from assay.data.workzone import ClipRow, write_clips
    from assay.data.zone_annotations import REPORT, said_of, write_annotations
    from pipelines.recording import stage_run

    data, dataset = Path(cfg.data), Path(cfg.build) / "dataset"
    with stage_run(cfg, "prepare", sections=("project", "data", "prepare")) as run:
        source = current_source(data, project=data.name)
        run.data(source)
        items, clips = _read(cfg, data)
        counts = prepare(
            scored_only(_regrouped(cfg, items), cfg.prepare.scored_subset),
            dataset,
            classes=cfg.project.classes,
            source=source,
            near_duplicate_distance=cfg.prepare.near_duplicate_distance,
            draw=cfg.project.name == "documents",  # document 003, lines 234-241
            split=_said_of_split(cfg),
        )
        if clips is not None:
            write_clips(dataset / "clips.csv", clips)
            counts["clips"] = len(clips)
            annotated = write_annotations(
                dataset, data, pd.DataFrame(clips, columns=list(ClipRow.__dataclass_fields__))
            )
            print("".join(f"{line}\n" for line in said_of(annotated)), end="")
            run.artifact(dataset / REPORT)
        log_counts(run, dataset, counts)
    if warning := warning_of_groups(counts):
        print(warning)
    print(
        f"{dataset}/report.html: {counts['images']:.0f} images, {counts['quarantined']:.0f} files quarantined"
    )
    return counts


def _read(cfg: DetectionConfig, data: Path) -> "tuple[Iterable[Item | Bad], list[ClipRow] | None]":
    """The project's images, unusable clips among them, and its usable clips where it has some."""
    how = cfg.prepare
    known = {raw: name for raw, name in how.class_map.items() if raw not in how.ignore}
    common: Any = {"class_map": known, "ignore": how.ignore, "max_side": how.max_side}
    if cfg.project.name == "documents":
        from assay.data.documents import read as read_pages

        pages = read_pages(
            data, **common, dpi=how.dpi, validation_share=how.validation_share, split_seed=how.split_seed
        )
        return pages, None
    if cfg.project.name == "workzone":
        from assay.data import workzone

        clips, bad = workzone.clips(data)
        return chain(workzone.read(data, **common), bad), clips
    from assay.data.infrastructure import read as read_photos

    return read_photos(data, **common), None


def _regrouped(cfg: DetectionConfig, items: "Iterable[Item | Bad]") -> "Iterable[Item | Bad]":
    """The images in groups that no split tears apart, and in the split that is asked for."""
    from assay.data.splitting import resplit, with_groups

    how = cfg.prepare.regroup
    if how is None or (how.split == "published" and not how.look_distance):  # the reader's groups do
        return items
    grouped = with_groups(
        items,
        near_duplicate_distance=cfg.prepare.near_duplicate_distance,
        look_distance=how.look_distance,
    )
    return resplit(
        grouped,
        how.split,
        classes=cfg.project.classes,
        validation_share=cfg.prepare.validation_share,
        seed=cfg.prepare.split_seed,
        **how.model_dump(include={"test_share", "minimum", "folds", "fold"}),
    )


def _said_of_split(cfg: DetectionConfig) -> str:
    how = cfg.prepare.regroup
    if how is None:
        return ""
    least = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in how.minimum.items())
    needs = f"; validation has at least {least}" if least else ""
    return {
        "published": "as published, whatever it tears apart",
        "grouped": f"grouped, no flight in two splits (seed {cfg.prepare.split_seed}){needs}",
        "kfold": f"k-fold by groups, fold {how.fold} of {how.folds} is tested (seed {cfg.prepare.split_seed})",
    }[how.split]
