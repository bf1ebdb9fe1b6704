"""pipelines/mine.py for detectors: frames of clips (document 002), or images and pages."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig

if TYPE_CHECKING:
    import pandas as pd

    from assay.mining.clip import Verify
    from assay.mining.clips import MinedClips
    from assay.mining.small_clip import SmallClip
    from assay.mining.timeline import Fusion
    from assay.mining.work import WorkFolder

    Further = Callable[..., tuple[str, float, str] | None]


def main(cfg: DetectionConfig) -> dict[str, float]:
    """Score, choose and write the candidates; returns how many there are and why.

    A shard (mine.shard) does its part of the clips and leaves the candidates to a run without one.
    """
    from assay.data.classification import source_of
    from assay.files import fresh_folder, write_json
    from assay.models.detector import load_detector
    from assay.training.precision import start_torch
    from pipelines.recording import stage_run

    start_torch(cfg.seed)
    build = Path(cfg.build)
    if cfg.mine.of == "clips" and cfg.mine.shard is not None:
        return _shard(cfg, *load_detector(build / "baseline"))
    with stage_run(
        cfg, "mine", sections=("project", "data", "mine"), tags={"experiment": cfg.baseline.experiment}
    ) as run:
        run.data(source_of(build / "dataset"))
        detector, info = load_detector(build / "baseline")
        with fresh_folder(build / "candidates") as folder:
            mine = _clips if cfg.mine.of == "clips" else _images
            table, counts = mine(cfg, detector, info["id"], folder)
            mined_by = {key: info[key] for key in ("id", "experiment", "profile", "weights")}
            write_json(folder / "mined_by.json", mined_by)
        counts |= {str(reason): float(n) for reason, n in table["reason"].value_counts().items()}
        for name, value in counts.items():
            run.metric(name, value)
        for name in ("candidates.csv", "index.html"):
            run.artifact(build / "candidates" / name)
    print(
        f"{build}/candidates/index.html: {len(table)} candidates of {counts['looked_at']:.0f} {_THINGS[cfg.mine.of]}"
    )
    return counts


_THINGS = {"clips": "frames", "images": "images"}


def _shard(cfg: DetectionConfig, detector: Any, info: dict[str, Any]) -> dict[str, float]:
    with _mined(cfg, detector, info["id"]) as (mined, work):
        print(
            f"{work.path}: shard {cfg.mine.shard}, {len(mined.finished)} clips done, {len(mined.quarantine)} set "  # type: ignore[union-attr]
            "aside; when every shard is done, run without mine.shard"
        )
        return {"clips": float(len(mined.finished)), "looked_at": float(mined.frames)}


@contextmanager
def _mined(cfg: DetectionConfig, detector: Any, model: str) -> "Iterator[tuple[MinedClips, WorkFolder]]":
    """The clips, done, as long as nobody may tidy them away."""
    import pandas as pd

    from assay.data.classification import read_manifest
    from assay.mining.clip import ClipSettings
    from assay.mining.clips import Shard, few_frames, minable_clips, mine_clips, one_by_one
    from assay.mining.cluster import TrainedDetector, on_ray
    from assay.mining.fast import fast_detector, runtime_name
    from assay.mining.flicker import FlickerRule
    from assay.mining.similar import SkipRule
    from assay.mining.timeline import rules_from
    from assay.mining.work import open_work

    how, dataset = cfg.mine, Path(cfg.build) / "dataset"
    assert how.of == "clips"  # noqa: S101 - for mypy
    clips = minable_clips(pd.read_csv(dataset / "clips.csv", dtype={"clip": str}), read_manifest(dataset))
    data = Path(cfg.data)
    runtime = runtime_name(how.runtime, how.precision)
    rules = rules_from(how.scoring.model_dump())
    verifier, verify = _verifier(cfg, dataset, rules.fusion)
    settings = ClipSettings(
        classes=tuple(detector.classes),
        rules=rules,
        nms_iou=cfg.evaluate.inference.nms_iou,
        max_boxes=cfg.evaluate.max_boxes,
        flicker=FlickerRule(**how.flicker.model_dump()),
        skip=SkipRule(**how.skip.model_dump()),
        runtime=runtime,
        verifier=verifier,
        **how.model_dump(include={"stride", "cap", "score_range", "gate"}),
    )
    shard = Shard.parse(how.shard) if how.shard else None
    with open_work(Path("runs/mining") / cfg.project.name) as work, ExitStack() as stack:
        if how.engine == "ray":
            make = TrainedDetector.of(
                Path(cfg.build) / "baseline", runtime=runtime, model_id=model, verify=verify
            )
            engine = stack.enter_context(
                on_ray(make, data, work.path, settings, model_id=model, address=how.cluster)
            )
        else:
            finder = fast_detector(
                detector,
                runtime,
                model_id=model,
                cache=Path("runs/networks"),
                frames=lambda: few_frames(clips, data),
            )
            engine = one_by_one(finder, data, work.path, settings, model_id=model, verify=verify)
        yield mine_clips(clips, data, engine, work, settings, model_id=model, shard=shard), work


def _verifier(cfg: DetectionConfig, dataset: Path, fusion: "Fusion") -> "tuple[str, Verify | None]":
    """What gives the second opinion: its name in the candidates, and the function."""
    from assay.mining.small_clip import learned_id, small_clip_verifier
    from assay.mining.verifier import clip_verifier
    from assay.models import clip_adapter

    asked = cfg.mine.scoring.clip  # type: ignore[union-attr]
    prompts = {"positive": asked.positive, "negative": asked.negative}
    kind = cfg.mine.verifier  # type: ignore[union-attr]
    if kind == "none":
        return "none", None
    if kind == "clip":
        weights = clip_adapter.resolve(
            asked.model,
            path=None,
            allow_download=cfg.profile.weights.allow_download,
            allow_random_init=False,
        )
        return f"{asked.model} {weights.detail}", clip_verifier(
            asked.model, weights, fusion=fusion, **prompts
        )
    model = taught_clip(dataset, seed=cfg.seed, **prompts)
    return f"sample_clip {learned_id(model)}", small_clip_verifier(model, fusion=fusion, **prompts)


def taught_clip(dataset: Path, *, positive: str, negative: str, seed: int) -> "SmallClip":
    """A small CLIP, taught from the training images of a prepared data set and what their boxes show."""
    import numpy as np
    import pandas as pd

    from assay.data.classification import read_manifest
    from assay.data.images import read_image
    from assay.mining.small_clip import caption_of, shrink, train_small_clip

    manifest, boxes = read_manifest(dataset), pd.read_parquet(dataset / "boxes.parquet")
    shown = boxes.groupby("image")["label"].agg(list).to_dict()
    images = manifest.loc[manifest["split"] == "train", "image"].tolist()
    return train_small_clip(
        np.stack([shrink(read_image(dataset / image)) for image in images]),
        [caption_of(shown.get(image, []), normal=negative) for image in images],
        prompts=[positive, negative],
        seed=seed,
    )


def _clips(
    cfg: DetectionConfig, detector: Any, model: str, folder: Path
) -> "tuple[pd.DataFrame, dict[str, float]]":
    from assay.data.images import read_image
    from assay.files import read_json
    from assay.mining.boxes_page import write_boxes_page
    from assay.mining.clip_summary import draw_distributions, summary_lines, summary_text
    from assay.mining.clip_table import assemble

    zone = cfg.mine.scoring.zone  # type: ignore[union-attr]
    with _mined(cfg, detector, model) as (mined, work):
        table = assemble(mined, folder)
        work.forget(mined.keys)
    found = read_json(folder / "statistics.json")
    print(summary_text(found))
    timelines = _judged(cfg, folder)
    write_boxes_page(
        folder / "index.html",
        table,
        lambda image: read_image(folder / image),
        project=cfg.project.name,
        classes=cfg.project.classes,
        labels=cfg.review.labels,
        summary=f"{cfg.baseline.experiment} looked at every {cfg.mine.stride}. frame of {len(mined.finished)} clips.",  # type: ignore[union-attr]
        says="Say in the column objects (yes or no) whether any object of any class shows: only frames without one "
        "may become hard negatives.",
        timelines={clip: folder / clip / "timeline.csv" for clip in sorted(table["group"].unique())},
        thresholds=(zone.approaching, zone.inside),
        overview=(summary_lines(found), draw_distributions(table)),
    )
    counts = {
        "candidates": len(table),
        "clips": found["clips"],
        "clips_quarantined": found["quarantined"],
        "looked_at": found["frames"],
        "inferred": found["inferred"],
    }
    return table, {name: float(value) for name, value in (counts | timelines).items()}


def _judged(cfg: DetectionConfig, folder: Path) -> dict[str, float]:
    """The timelines against the zone states that people marked, where they did: written, said, and as metrics."""
    import pandas as pd

    from assay.data.zone_annotations import STATES
    from assay.evaluation.timeline_report import judge, write_timeline_metrics

    dataset, how = Path(cfg.build) / "dataset", cfg.mine
    assert how.of == "clips"  # noqa: S101 - for mypy
    intervals, clips = (pd.read_csv(dataset / name, dtype={"clip": str}) for name in (STATES, "clips.csv"))
    timelines = {path.parent.name: path for path in folder.glob("*/timeline.csv")}
    counts = judge(timelines, clips, intervals, tolerances=how.tolerances)
    if counts.empty:
        print(f"zone states: marked for {intervals['clip'].nunique()} clips, none of which was mined here")
        return {}
    found = write_timeline_metrics(
        folder, counts, tolerances=how.tolerances, draws=cfg.evaluate.bootstrap_draws, seed=cfg.seed
    )
    print((folder / "timeline_metrics.md").read_text("utf-8"))
    values = {name: interval["value"] for name, interval in found["metrics"].items()}
    return {f"timeline/{name}": value for name, value in values.items() if value is not None}


def _images(
    cfg: DetectionConfig, detector: Any, model: str, folder: Path
) -> "tuple[pd.DataFrame, dict[str, float]]":
    import pandas as pd

    from assay.data.classification import read_manifest
    from assay.data.images import read_image
    from assay.mining.boxes_page import write_boxes_page
    from assay.mining.images import minable, rank_images
    from assay.models.looks import fused, views

    how = cfg.mine
    assert how.of == "images"  # noqa: S101 - for mypy
    dataset = Path(cfg.build) / "dataset"
    images = minable(read_manifest(dataset))
    images = images[images["split"].isin(("train", "pool"))].reset_index(drop=True)

    def load(image: str) -> Any:
        return read_image(dataset / image)

    table = rank_images(
        images,
        detector,
        load,
        truth=pd.read_parquet(dataset / "boxes.parquet"),
        classes=cfg.project.classes,
        nms_iou=cfg.evaluate.inference.nms_iou,
        max_boxes=cfg.evaluate.max_boxes,
        augmented=partial(fused, views(detector)) if how.second_look == "augmented" else None,
        further=_further(cfg),
        **how.model_dump(include={"uncertain", "match_iou", "max_candidates"}),
    )
    table = table.assign(model=model)
    table.to_parquet(folder / "candidates.parquet", index=False)
    table.to_csv(folder / "candidates.csv", index=False)
    write_boxes_page(
        folder / "index.html",
        table,
        load,
        project=cfg.project.name,
        classes=cfg.project.classes,
        labels=cfg.review.labels,
        summary=f"{cfg.baseline.experiment} looked at {len(images)} images, each as it is and {how.second_look}.",
        says="no_object means that the whole image holds no object of any class.",
    )
    return table, {"candidates": float(len(table)), "looked_at": float(len(images))}


def _further(cfg: DetectionConfig) -> "Further | None":
    """The further reasons that the configuration asks for, the first that holds counts."""
    asked = [reason for reason in (_of_pages(cfg), _conditions(cfg)) if reason is not None]

    def first(picture: Any, found: Any) -> tuple[str, float, str] | None:
        return next((told for reason in asked if (told := reason(picture, found)) is not None), None)

    return first if asked else None


def _of_pages(cfg: DetectionConfig) -> "Further | None":
    """The further reasons of document pages (`mining.pages`), where the configuration asks for them."""
    from assay.documents.codes import read_codes, read_codes_in
    from assay.evaluation.grouping import GroupingRule
    from assay.mining.pages import PageRule, page_finding

    asked = cfg.mine.pages  # type: ignore[union-attr]
    if asked is None:
        return None
    how = asked.model_dump()
    rule = PageRule(**how | {"grouping": GroupingRule(**how["grouping"])})

    def read(picture: Any, boxes: Any) -> list[tuple[float, float, float, float]]:
        return [code.xyxy for code in read_codes_in(picture, boxes, read_codes(picture))]

    return partial(page_finding, classes=cfg.project.classes, rule=rule, read=read)


def _conditions(cfg: DetectionConfig) -> "Further | None":
    """The further reason of the inspection: stage 2, an export, is unsure; where the configuration asks for it."""
    from assay.inspection.stages import judge_of, unsure
    from pipelines.detection.scoring import fixed_thresholds

    how = cfg.mine
    assert how.of == "images"  # noqa: S101 - for mypy
    if how.conditions is None:
        return None
    judge = judge_of(Path(how.conditions), cfg.project.classes, cfg.baseline.experiment)
    return partial(
        unsure,
        judge,
        classes=cfg.project.classes,
        thresholds=fixed_thresholds(cfg),
        below=how.unsure_condition,
    )
