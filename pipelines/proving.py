"""The proof that a training helped: false positives at equal recall, on images and on video that shows no object."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config import DetectionConfig

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from assay.evaluation.boxes import BoxPredictions
    from assay.evaluation.proof import NegativeVideo, Operating
    from assay.evaluation.sections import Section


def look_at_video(cfg: DetectionConfig, models: Mapping[str, Path]) -> "NegativeVideo | None":
    """Run every detector (name -> its folder), as `predict_all` does, on video without an object; None: there is none."""
    import pandas as pd

    from assay.data.detections import to_table
    from assay.data.negative_video import negative_spans
    from assay.evaluation.proof import NegativeVideo
    from assay.models.detector import load_detector
    from pipelines.detection.asking import ask

    how, listed = cfg.project.negative_video, Path(cfg.build) / "dataset/clips.csv"
    if how is None or not listed.is_file():
        return None
    spans = negative_spans(pd.read_csv(listed, dtype={"clip": str}), Path(cfg.data))
    rows: list[pd.DataFrame] = []
    for name, folder in models.items():
        detector, _ = load_detector(folder)
        for (clip, path), part in spans.groupby(["clip", "path"]):
            wanted = {f for span in part.to_dict("records") for f in range(span["first"], span["last"] + 1)}
            seen: list[int] = []
            pictures = _pictures(Path(cfg.data) / str(path), how.stride, wanted, seen)
            found = ask(cfg, detector, pictures, alone=name != next(iter(models)))
            tables = to_table({str(place): boxes for place, boxes in enumerate(found)}, detector.classes)
            frames = tables["image"].map(lambda place, seen=seen: seen[int(place)])
            rows.append(tables[["label", "score"]].assign(model=name, clip=str(clip), frame=frames))
    columns = ["model", "clip", "frame", "label", "score"]
    filled = [table for table in rows if len(table)]
    boxes = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)
    return NegativeVideo(boxes[columns].astype({"frame": int, "score": float}), spans, how.stride)


def _pictures(path: Path, stride: int, wanted: set[int], seen: list[int]) -> Iterator["np.ndarray"]:
    """The wanted frames of a clip; their numbers go to `seen`."""
    from assay.data.clips import frames

    for number, _, rgb in frames(path, stride=stride):
        if number in wanted:
            seen.append(number)
            yield rgb


def keep_video(folder: Path, video: "NegativeVideo | None") -> None:
    """Write video.parquet (boxes) and video_spans.csv into `folder`; nothing where there is no such video."""
    if video is not None:
        video.boxes.to_parquet(folder / "video.parquet", index=False)
        video.spans.assign(stride=video.stride).to_csv(folder / "video_spans.csv", index=False)


def kept_video(folders: Sequence[Path]) -> "NegativeVideo | None":
    """What `keep_video` wrote into each of the folders, as one; None where one has none."""
    import pandas as pd

    from assay.evaluation.proof import NegativeVideo

    if not all((folder / "video.parquet").is_file() for folder in folders):
        return None
    boxes = pd.concat([pd.read_parquet(folder / "video.parquet") for folder in folders], ignore_index=True)
    spans = pd.read_csv(folders[0] / "video_spans.csv", dtype={"clip": str}, keep_default_na=False)
    stride = int(spans["stride"].iloc[0]) if len(spans) else 1
    return NegativeVideo(boxes, spans.drop(columns="stride"), stride)


def prove(
    cfg: DetectionConfig,
    folder: Path,
    predictions: "BoxPredictions",
    video: "NegativeVideo | None",
    scores: Mapping[str, Mapping[str, Any]],
    *,
    title: str,
    stated: Mapping[str, Mapping[str, float]],
    shares: Mapping[str, float] | None = None,
) -> "tuple[pd.DataFrame, list[Section]]":
    """Write the proof (csv, md, html) into `folder`; the first model of `scores` is the baseline.

    Args:
        cfg: of the project.
        folder: where it goes.
        predictions: of all models.
        video: of all models; None: images alone.
        scores: model -> split -> part "all" of `detection.score`.
        title: of the page.
        stated: model -> class -> confidence from which a box is shown.
        shares: model -> share of hard negatives, where the models differ in nothing else.
    """
    from assay.evaluation.proof import image_rows, matched_thresholds, points_of, proof_table, video_rows
    from assay.evaluation.proof_report import sections_of, share_section, write_proof
    from pipelines.detection.scoring import splits_of

    reference, *candidates = scores
    how: Any = {"draws": cfg.evaluate.bootstrap_draws, "seed": cfg.seed}
    rows: list[dict[str, Any]] = []
    on_video: list[Operating] = []
    for split in reversed(splits_of(predictions)):  # test first: val chose the epochs
        matched = {
            name: matched_thresholds(predictions, name, reference, split=split, stated=stated)
            for name in scores
        }
        points = points_of(reference, candidates, stated=stated, matched=matched)
        parts = {name: found[split] for name, found in scores.items()}
        rows += image_rows(predictions, points, split=split, scores=parts, **how)
        if len(points) > len(on_video):  # the first split that says where the recalls are equal
            on_video = points
    alarms = video_rows(predictions, video, on_video, **how) if video is not None else []
    table = proof_table([*rows, *alarms])
    asked = cfg.project.negative_video
    published = asked.published.model_dump() if asked is not None and asked.published else None
    sections = sections_of(table, source=str(predictions.data["source"]), published=published)
    if shares:
        sections.insert(0, share_section(table, shares))
    write_proof(folder, table, sections, title=title)
    return table, sections
