"""Grouping of boxes beside the obvious way, two double loops, on the same pages in the same run.

    python -m benchmarks.grouping [--rounds 7]

Both take the same arrays and give the same groups, which is checked before anything is timed. A page of n boxes shows
n / 3 marks of three classes, each found three times. Ratios are of medians of
CPU time; the two alternate within a round.

Writes results/benchmarks/grouping-<cpu>-<n>core.csv; the status is 1 if a ratio is below its target.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from assay.environment import describe
from assay.evaluation.grouping import GroupingRule, group_boxes
from benchmarks.hardware import MADE_ON, made_on, table_path, write_table

TARGETS = {10: 1.0, 30: 1.0, 100: 5.0, 300: 1.0, 1000: 80.0}  # boxes -> how many times as fast at least
COLUMNS = ("boxes", "groups", "obvious_ms", "assay_ms", "ratio", "target", "rounds", "repeats", *MADE_ON)
PAGE = (1654, 2339)  # px: A4 at 200 DPI
RULE = GroupingRule().on_page(*PAGE)

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]
Found = list[tuple[tuple[float, ...], int, float, int]]  # box, class, confidence, merged_count


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and store; returns 1 if a ratio is below its target."""
    parser = argparse.ArgumentParser("python -m benchmarks.grouping", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args(arguments)
    if chosen.rounds < 1:
        parser.error(f"--rounds {chosen.rounds}: expected 1 or more")
    machine = describe()
    rows = [row_of(count, chosen.rounds, machine) for count in TARGETS]
    for row in rows:
        print(f"{row['boxes']:>5} boxes -> {row['groups']:>4}: {row['obvious_ms']:>9} ms, {row['assay_ms']:>8} ms, "
              f"{row['ratio']:>6} times as fast (target {row['target']})")  # fmt: skip
    target = table_path("grouping", machine)
    write_table(target, rows, COLUMNS)
    print(target)
    return int(any(float(row["ratio"]) < float(row["target"]) for row in rows))


def row_of(count: int, rounds: int, machine: dict[str, Any]) -> dict[str, str]:
    """One line of the table. Raises SystemExit if the two ways disagree."""
    page = boxes(count)
    if found(page) != obvious(*page, RULE):
        raise SystemExit(f"{count} boxes: the two ways give other groups; nothing to compare")
    repeats = max(1, 2000 // count**2 * 50, 20 // (count // 100 + 1))
    seconds: dict[str, list[float]] = {"obvious": [], "assay": []}
    for _ in range(rounds):
        seconds["obvious"].append(timed(lambda: obvious(*page, RULE), max(1, repeats // (1 + count // 100))))
        seconds["assay"].append(timed(lambda: group_boxes(*page, RULE), repeats))
    middle = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "boxes": str(count),
        "groups": str(len(found(page))),
        "obvious_ms": f"{1000 * middle['obvious']:.4f}",
        "assay_ms": f"{1000 * middle['assay']:.4f}",
        "ratio": f"{middle['obvious'] / middle['assay']:.2f}",
        "target": f"{TARGETS[count]:g}",
        "rounds": str(rounds),
        "repeats": str(repeats),
        **made_on(machine, ("numpy", "scipy")),
    }


def timed(call: Callable[[], object], repeats: int) -> float:
    """CPU seconds of one call: both are one thread, and others may use the machine."""
    start = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - start) / repeats


def boxes(count: int, seed: int = 0) -> Arrays:
    """(N, 4) px, class (N,) of 0-2, confidence (N,): marks, each found three times, a little shifted."""
    rng = np.random.default_rng(seed)
    marks = -(-count // 3)
    centre = rng.uniform((100, 100), (PAGE[0] - 100, PAGE[1] - 100), (marks, 2))
    half = rng.uniform((25, 15), (110, 60), (marks, 2))
    label = rng.integers(0, 3, marks)
    which = np.arange(count) % marks
    middle = centre[which] + rng.normal(0, 6, (count, 2))
    spread = half[which] * rng.uniform(0.5, 1.1, (count, 2))
    xyxy = np.concatenate([middle - spread, middle + spread], axis=1).astype(np.float32)
    return xyxy, label[which], rng.uniform(0.15, 1, count).astype(np.float32)


def found(page: Arrays, rule: GroupingRule = RULE) -> Found:
    """What `group_boxes` says, in the form `obvious` has."""
    groups = group_boxes(*page, rule)
    return sorted(
        (tuple(box), label, score, merged)
        for box, label, score, merged in zip(
            groups.xyxy.tolist(),
            groups.class_id.tolist(),
            groups.confidence.tolist(),
            groups.merged_count.tolist(),
            strict=True,
        )
    )


def obvious(xyxy: np.ndarray, class_id: np.ndarray, confidence: np.ndarray, rule: GroupingRule) -> Found:
    """Document 003's two passes as one writes them down: two double loops and a walk through the neighbours."""
    rows = list(zip(xyxy.tolist(), class_id.tolist(), confidence.tolist(), strict=True))
    kept = []
    for i, (box, label, score) in enumerate(rows):
        redundant = False
        for j, (other, other_label, other_score) in enumerate(rows):
            if i == j or label != other_label or score > other_score:
                continue
            if score == other_score and (_area(box), *_less(box), j) > (_area(other), *_less(other), i):
                continue
            if _shared(box, other) > rule.drop_contained * _area(box):
                redundant = True
                break
        if not redundant:
            kept.append((box, label, score))
    neighbours: list[list[int]] = [[] for _ in kept]
    for i, (box, label, _) in enumerate(kept):
        for j in range(i + 1, len(kept)):
            other, other_label, _ = kept[j]
            if label == other_label and _belong(box, other, rule):
                neighbours[i].append(j)
                neighbours[j].append(i)
    return sorted(_joined(kept, neighbours))


def _joined(kept: list[tuple[list[float], int, float]], neighbours: list[list[int]]) -> Iterator[Any]:
    seen = [False] * len(kept)
    for i, (_, label, _) in enumerate(kept):
        if seen[i]:
            continue
        seen[i], members, waiting = True, [], [i]
        while waiting:
            member = waiting.pop()
            members.append(kept[member])
            for j in neighbours[member]:
                if not seen[j]:
                    seen[j] = True
                    waiting.append(j)
        sides = list(zip(*(box for box, _, _ in members), strict=True))
        union = (min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3]))
        yield union, label, max(score for _, _, score in members), len(members)


def _less(box: Sequence[float]) -> list[float]:
    return [-side for side in box]


def _area(box: Sequence[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _shared(box: Sequence[float], other: Sequence[float]) -> float:
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return width * height if width > 0 and height > 0 else 0.0


def _belong(box: Sequence[float], other: Sequence[float], rule: GroupingRule) -> bool:
    across = (box[0] + box[2]) / 2 - (other[0] + other[2]) / 2
    down = (box[1] + box[3]) / 2 - (other[1] + other[3]) / 2
    if across**2 + down**2 < rule.distance**2:
        return True
    shared, mine, theirs = _shared(box, other), _area(box), _area(other)
    return shared > rule.iou * (mine + theirs - shared) or shared > rule.containment * min(mine, theirs)


if __name__ == "__main__":
    sys.exit(main())
