"""Measure how long scoring takes: COCO mAP, and the paired bootstrap of two models, on boxes drawn at random.

    python -m benchmarks.scoring [--images 5000] [--boxes 20] [--draws 1000] [--runs 3]

Truth: so many boxes an image, of ten classes, images in groups of five. Two models find most of them, a little shifted,
among false alarms, with as many boxes an image. Measured, each in this process, one thread where the library lets us:

    map         `match` and `average_precision` of assay.evaluation, which every comparison uses, of one model: from the
                stored table to the numbers
    scorer      the same by `assay.evaluation.coco.coco_scores` (faster-coco-eval), to which the tests hold it
    peer        the same from the same tables by pycocotools (benchmarks/coco_reference.py)
    bootstrap   `assay.evaluation.detection_comparison.compare`: both models matched, every metric of both and of their
                difference from the same draws of whole groups, with false positives at matched recall

Budget: map + bootstrap in 60 s, map 8 times as fast as the peer and equal within 1e-6. Nothing else may use the machine.
Writes results/benchmarks/scoring-<cpu>-<n>core.csv; the status is 1 where the budget is not kept.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from time import perf_counter, process_time
from typing import Any

import numpy as np
import pandas as pd

from assay.environment import describe
from assay.evaluation.boxes import CORNERS, BoxPredictions
from assay.evaluation.coco import coco_scores
from assay.evaluation.detection_comparison import compare
from assay.evaluation.detection_metrics import average_precision
from assay.evaluation.matching import match
from benchmarks.coco_reference import reference_scores
from benchmarks.hardware import MADE_ON, made_on, table_path, write_table

CLASSES = tuple(f"class {k}" for k in range(10))
GROUP, SIDE = 5, 640  # images of a group; px
SECONDS, RATIO, DIFFERENCE = 60.0, 8.0, 1e-6
COLUMNS = (
    *("task", "images", "boxes", "draws", "runs", "median_seconds", "least", "most", "cpu_seconds"),
    *("map50_95", "ratio_to_peer", "difference_to_peer", "limit", "within_limit", *MADE_ON),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.scoring",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--boxes", type=int, default=20, help="of an image, in the truth and in each model")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3, help="of map and peer; the bootstrap runs once")
    chosen = parser.parse_args(arguments)
    if min(chosen.images // (2 * GROUP), chosen.boxes, chosen.draws // 100, chosen.runs) < 1:
        parser.error(
            "expected --images of 10 or more, --draws of 100 or more, --boxes and --runs of 1 or more"
        )
    rows = measure(chosen.images, chosen.boxes, chosen.draws, chosen.runs)
    machine = describe()
    made = made_on(machine, ("numpy", "faster-coco-eval", "pycocotools"))
    target = table_path("scoring", machine)
    write_table(target, [{**row, **made} for row in rows], COLUMNS)
    for row in rows:
        print(", ".join(f"{key} {row[key]}" for key in COLUMNS if row.get(key, "") != ""), flush=True)
    print(target)
    return 0 if all(row.get("within_limit", True) for row in rows) else 1


def measure(images: int, boxes: int, draws: int, runs: int) -> list[dict[str, Any]]:
    """The rows of the table."""
    predictions = drawn(images, boxes)
    names, found = predictions.images["image"].tolist(), predictions.of("candidate")
    common = {"images": images, "boxes": boxes}
    given = found, predictions.truth, names, CLASSES
    coco_scores(*given)  # what is imported on the way is not scoring
    one = np.ones((1, images))
    ours, map_row = timed(lambda: average_precision(match(*given), one)[0], runs)
    official, scorer_row = timed(lambda: coco_scores(*given), runs)
    values, peer_row = timed(lambda: reference_scores(found, predictions.truth, names, CLASSES), runs)
    thresholds = dict.fromkeys(CLASSES, 0.5)
    _, bootstrap = timed(
        lambda: compare(
            predictions, "candidate", "reference", split="val", thresholds=thresholds, draws=draws
        ),
        1,
    )
    ratio = peer_row["median_seconds"] / map_row["median_seconds"]
    difference = max(float(np.nanmax(np.abs(ours - other))) for other in (values, official.ap))
    total = map_row["median_seconds"] + bootstrap["median_seconds"]
    return [
        {
            "task": "map",
            **common,
            **map_row,
            "map50_95": float(np.nanmean(ours)),
            "ratio_to_peer": round(ratio, 1),
            "difference_to_peer": difference,
            "limit": f"{RATIO:g} times the peer, {DIFFERENCE:g}",
            "within_limit": bool(ratio >= RATIO and difference <= DIFFERENCE),
        },
        {"task": "scorer", **common, **scorer_row, "map50_95": official.map50_95},
        {"task": "peer", **common, **peer_row, "map50_95": float(np.nanmean(values))},
        {
            "task": "bootstrap",
            **common,
            "draws": draws,
            **bootstrap,
            "limit": f"{SECONDS:g} s with map",
            "within_limit": bool(total <= SECONDS),
        },
    ]


def timed(work: Callable[[], Any], runs: int) -> tuple[Any, dict[str, Any]]:
    """The last answer of `work`, and its seconds."""
    seconds, processor, answer = [], [], None
    for _ in range(runs):
        start, busy = perf_counter(), process_time()
        answer = work()
        seconds.append(perf_counter() - start)
        processor.append(process_time() - busy)
    found = {
        "runs": runs,
        "median_seconds": round(float(np.median(seconds)), 3),
        "least": round(min(seconds), 3),
        "most": round(max(seconds), 3),
        "cpu_seconds": round(float(np.median(processor)), 3),
    }
    return answer, found


def drawn(images: int, boxes: int, seed: int = 0) -> BoxPredictions:
    """`boxes` objects an image and two models that find most of them."""
    random = np.random.default_rng(seed)
    number = images * boxes
    size = random.uniform(12, 90, (number, 2))
    corner = random.uniform(0, SIDE - size)
    truth = np.hstack([corner, corner + size])
    label = random.integers(0, len(CLASSES), number)
    names = np.array([f"{k // GROUP:05d}/{k % GROUP}.jpg" for k in range(images)])
    image = np.repeat(names, boxes)
    table = pd.DataFrame({"image": image, "label": np.array(CLASSES)[label], "raw": "", "ignore": False})
    table[list(CORNERS)] = truth
    listed = pd.DataFrame({"image": names, "split": "val", "group": [name[:5] for name in names]})
    listed["leak"] = False
    models = []
    for name, share, shift in (("reference", 0.70, 0.09), ("candidate", 0.75, 0.07)):
        right = random.random(number) < share
        moved = truth + random.normal(0, shift, (number, 4)) * np.tile(size, 2)
        stray = random.uniform(0, SIDE - size)
        corners = np.where(right[:, None], moved, np.hstack([stray, stray + size]))
        corners[:, 2:] = np.maximum(corners[:, 2:], corners[:, :2] + 1)
        score = np.where(right, random.beta(5, 2, number), random.beta(2, 4, number))
        one = table[["image", "label"]].assign(model=name, score=score)
        one[list(CORNERS)] = corners
        models.append(one)
    return BoxPredictions(
        images=listed,
        boxes=pd.concat(models, ignore_index=True),
        truth=table,
        classes=CLASSES,
        models={"reference": {}, "candidate": {}},
        data={},
    )


if __name__ == "__main__":
    sys.exit(main())
