"""Boxes of one class that show one mark become one: both passes of document 003, lines 328-358.

1. A box of which more than a share lies inside a surer one goes. Of two equally sure boxes the larger is taken for the
   surer one. A surer box inside a less sure one stays, and so does the one around it.
2. Boxes are joined whose centres are near, that overlap, or of which one lies mostly in the other. Joining is
   transitive, so a group is a connected component. Its box is the union, its confidence the highest of its members.

Whatever falls in pass 1 is compared with all boxes, dropped ones too, so the order of the boxes changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assay.evaluation.boxes import BOX_COLUMNS, CORNERS

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

SWEEP_FROM = 48  # boxes; below, plain Python is faster than arrays (benchmarks/grouping.py)
_PAIRS_AT_ONCE = 1 << 20  # bounds memory where thousands of boxes lie on each other


@dataclass(frozen=True)
class GroupingRule:
    """When boxes of one class are the same mark; the defaults are document 003's.

    drop_contained: a box with more than this share of its area in a surer one is dropped, 0-1.
    distance: boxes whose centres are nearer than this are joined, px.
    iou: boxes that overlap more than this are joined, 0-1.
    containment: boxes of which one has more than this share of its area in the other are joined, 0-1.
    page_side: `distance` is meant on a page whose longer side has so many px; None = on the page as it is. Document 003
        groups pages that it made 1024 px long (lines 214-217).
    """

    drop_contained: float = 0.75
    distance: float = 50.0
    iou: float = 0.2
    containment: float = 0.6
    page_side: int | None = 1024

    def on_page(self, width: int, height: int) -> "GroupingRule":
        """The rule in px of a page of this size; the same mark is then grouped alike at every resolution."""
        if self.page_side is None:
            return self
        return replace(self, distance=self.distance * max(width, height) / self.page_side, page_side=None)


@dataclass(frozen=True)
class Groups:
    """M groups of N boxes, the surest first.

    xyxy (M, 4) and confidence (M,) have the type of what was grouped, class_id (M,) too; merged_count (M,) is how many
    boxes were joined, without the dropped ones; member_of (N,): the group of every box, -1 where it was dropped.
    """

    xyxy: NDArray[np.floating]
    class_id: NDArray[np.integer]
    confidence: NDArray[np.floating]
    merged_count: Numbers
    member_of: Numbers


def group_boxes(
    xyxy: NDArray[np.floating],
    class_id: NDArray[np.integer],
    confidence: NDArray[np.floating],
    rule: GroupingRule,
) -> Groups:
    """Group N boxes, N may be 0; boxes of different classes never meet.

    Args:
        xyxy: (N, 4), finite px: left, top, right, bottom.
        class_id: (N,).
        confidence: (N,).
        rule: its distance is in px of `xyxy`: call `GroupingRule.on_page` first.

    Raises:
        ValueError: the shapes don't belong together, or the rule is meant for another page size.
    """
    count = len(xyxy)
    if xyxy.shape != (count, 4) or class_id.shape != (count,) or confidence.shape != (count,):
        raise ValueError(
            f"shapes {xyxy.shape}, {class_id.shape}, {confidence.shape} are not (N, 4), (N,), (N,)"
        )
    if rule.page_side is not None:
        raise ValueError(f"the rule is meant for a page of {rule.page_side} px: call on_page first")
    return (_plain if count < SWEEP_FROM else _sweep)(xyxy, class_id, confidence, rule)


def group_table(
    boxes: pd.DataFrame, images: pd.DataFrame, *, thresholds: Mapping[str, float], rule: GroupingRule
) -> pd.DataFrame:
    """Group stored boxes, image by image.

    Args:
        boxes: of one model, with the columns of `evaluation.boxes.BOX_COLUMNS`.
        images: columns image, width, height (px); boxes of other images are left out.
        thresholds: the confidence from which a box is shown, for every label; others are not grouped.
        rule: put on every image's page by its size.

    Returns:
        `BOX_COLUMNS` and merged_count; score is the group's confidence. The surest first within an image.
    """
    limits = boxes["label"].map(dict(thresholds)).to_numpy(np.float64)
    shown = boxes[boxes["score"].to_numpy(np.float64) >= limits]
    labels, number = np.unique(shown["label"].to_numpy(str), return_inverse=True)
    of_image = {str(image): rows for image, rows in shown.assign(number=number).groupby("image", sort=False)}
    parts = []
    for image, width, height in images[["image", "width", "height"]].itertuples(index=False):
        rows = of_image.get(image)
        if rows is None:
            continue
        groups = group_boxes(
            rows[list(CORNERS)].to_numpy(np.float64),
            rows["number"].to_numpy(),
            rows["score"].to_numpy(np.float64),
            rule.on_page(width, height),
        )
        part = pd.DataFrame(groups.xyxy, columns=list(CORNERS))
        parts.append(
            part.assign(
                model=rows["model"].iloc[0],
                image=image,
                label=labels[groups.class_id],
                score=groups.confidence,
                merged_count=groups.merged_count,
            )
        )
    columns = [*BOX_COLUMNS, "merged_count"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _plain(
    xyxy: NDArray[np.floating],
    class_id: NDArray[np.integer],
    confidence: NDArray[np.floating],
    rule: GroupingRule,
) -> Groups:
    """Every pair of a class once, the surer box first; in Python."""
    # smallest = surest; the last entries only make the order of equals one that does not depend on the input's
    rows = sorted(
        (-score, (x1 - x2) * (y2 - y1), x1, y1, x2, y2, label, index)
        for index, ((x1, y1, x2, y2), label, score) in enumerate(
            zip(xyxy.tolist(), class_id.tolist(), confidence.tolist(), strict=True)
        )
    )
    drop, iou, containment, square = rule.drop_contained, rule.iou, rule.containment, rule.distance**2
    seen: dict[int, list[tuple[float, ...]]] = {}
    groups: list[list[float]] = []  # [confidence, label, x1, y1, x2, y2, merged_count]
    member_of = [-1] * len(rows)
    root: list[int] = []
    joined: list[tuple[int, int]] = []
    for place, (_, minus_area, x1, y1, x2, y2, label, _) in enumerate(rows):
        area, across, down = -minus_area, x1 + x2, y1 + y2
        near: list[tuple[int, int]] = []
        others = seen.setdefault(label, [])
        dropped = False
        for a1, b1, a2, b2, other_area, other_across, other_down, other in others:
            width = (x2 if x2 < a2 else a2) - (x1 if x1 > a1 else a1)
            height = (y2 if y2 < b2 else b2) - (y1 if y1 > b1 else b1)
            shared = width * height if width > 0 and height > 0 else 0.0
            if shared > drop * area:
                dropped = True
                break
            if other >= 0 and (
                shared > containment * (area if area < other_area else other_area)
                or shared > iou * (area + other_area - shared)
                or (across - other_across) ** 2 + (down - other_down) ** 2 < 4 * square
            ):
                near.append((int(other), place))
        others.append((x1, y1, x2, y2, area, across, down, -1 if dropped else place))
        root.append(-1 if dropped else place)
        joined += [] if dropped else near
    for one, other in joined:
        first, second = _top(root, one), _top(root, other)
        root[max(first, second)] = min(first, second)
    number: dict[int, int] = {}
    for place, (minus_score, _, x1, y1, x2, y2, label, index) in enumerate(rows):
        if root[place] < 0:
            continue
        top = _top(root, place)
        if top == place:
            number[place] = len(groups)
            groups.append([-minus_score, label, x1, y1, x2, y2, 1])
        else:
            group = groups[number[top]]
            group[2:] = [
                min(group[2], x1), min(group[3], y1), max(group[4], x2), max(group[5], y2), group[6] + 1
            ]  # fmt: skip
        member_of[int(index)] = number[top]
    columns: Sequence[Sequence[float]] = list(zip(*groups, strict=True)) or [()] * 7
    return Groups(
        np.array(list(zip(*columns[2:6], strict=True)), xyxy.dtype).reshape(-1, 4),
        np.array(columns[1], class_id.dtype),
        np.array(columns[0], confidence.dtype),
        np.array(columns[6], np.int64),
        np.array(member_of, np.int64),
    )


def _top(root: list[int], place: int) -> int:
    while root[place] != place:
        root[place] = root[root[place]]
        place = root[place]
    return place


def _sweep(
    xyxy: NDArray[np.floating],
    class_id: NDArray[np.integer],
    confidence: NDArray[np.floating],
    rule: GroupingRule,
) -> Groups:
    """Candidate pairs by a sweep down the page, then connected components; in arrays."""
    count = len(xyxy)
    x1, y1, x2, y2 = np.asarray(xyxy, np.float64).T
    area = (x2 - x1) * (y2 - y1)
    surest = np.lexsort((class_id, y2, x2, y1, x1, -area, -confidence))
    x1, y1, x2, y2, area = (side[surest] for side in (x1, y1, x2, y2, area))
    label = class_id[surest]
    across, down = x1 + x2, y1 + y2
    dropped = np.zeros(count, bool)
    linked = []
    for one, other in _candidates(x1, y1, x2, y2, label, distance=rule.distance):
        width = np.minimum(x2[one], x2[other]) - np.maximum(x1[one], x1[other])
        height = np.minimum(y2[one], y2[other]) - np.maximum(y1[one], y1[other])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        mine, theirs = area[one], area[other]
        dropped[other[shared > rule.drop_contained * theirs]] = True
        join = shared > rule.containment * np.minimum(mine, theirs)
        join |= shared > rule.iou * (mine + theirs - shared)
        join |= (across[one] - across[other]) ** 2 + (down[one] - down[other]) ** 2 < 4 * rule.distance**2
        linked.append((one[join], other[join]))
    one, other = linked[0] if len(linked) == 1 else map(np.concatenate, zip(*linked, strict=True))
    both = ~(dropped[one] | dropped[other])
    surest_of = _components(count, one[both], other[both])

    kept = np.flatnonzero(~dropped)
    # group by group, each from its surest member on
    members = kept[np.argsort(surest_of[kept], kind="stable")]
    new = surest_of[members] == members
    starts = np.flatnonzero(new)
    member_of = np.full(count, -1, np.int64)
    member_of[surest[members]] = np.cumsum(new) - 1
    sides, first = xyxy[surest[members]], surest[members[starts]]
    return Groups(
        np.concatenate(
            [np.minimum.reduceat(sides[:, :2], starts), np.maximum.reduceat(sides[:, 2:], starts)], axis=1
        ),
        class_id[first],
        confidence[first],
        np.bincount(member_of[member_of >= 0]),
        member_of,
    )


def _candidates(
    x1: Floats, y1: Floats, x2: Floats, y2: Floats, label: NDArray[np.integer], *, distance: float
) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs of one class that may touch or be near, the smaller index first, in blocks; no pair that counts is lost.

    Each box is stretched to half the distance around its centre, and a little more for rounding.
    """
    count, reach = len(x1), 0.500001 * distance
    low_x, high_x = np.minimum(x1, (x1 + x2) / 2 - reach), np.maximum(x2, (x1 + x2) / 2 + reach)
    low, high = np.minimum(y1, (y1 + y2) / 2 - reach), np.maximum(y2, (y1 + y2) / 2 + reach)
    order = np.lexsort((low, label))
    low_x, high_x, low, high, label = (side[order] for side in (low_x, high_x, low, high, label))
    by_low = np.sort(low)
    # class and place among all low ends as one whole number: rises along `order`
    code = np.cumsum(np.concatenate([[0], label[1:] != label[:-1]])) * (count + 1)
    key = code + np.searchsorted(by_low, low, side="left")
    last = np.searchsorted(key, code + np.searchsorted(by_low, high, side="right"), side="left")
    partners = last - np.arange(count) - 1
    total = np.cumsum(partners)
    begin = 0
    while begin < count:
        done = total[begin - 1] if begin else 0
        stop = max(begin + 1, int(np.searchsorted(total, done + _PAIRS_AT_ONCE, side="right")))
        many = partners[begin:stop]
        rows = np.arange(begin, stop)
        one = np.repeat(rows, many)
        other = np.arange(len(one)) + np.repeat(rows + 1 - (total[begin:stop] - many - done), many)
        meet = (low_x[one] <= high_x[other]) & (low_x[other] <= high_x[one])
        one, other = order[one[meet]], order[other[meet]]
        yield np.minimum(one, other), np.maximum(one, other)
        begin = stop


def _components(count: int, one: Numbers, other: Numbers) -> Numbers:
    """(count,) smallest member of everything's connected component, by hooking and pointer jumping.

    scipy's connected_components gives the same; building its matrix takes five times as long as this at 100 boxes.
    """
    root = np.arange(count)
    while len(one):
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(above := root[root], root):
            root = above
        one, other = root[one], root[other]
        apart = one != other
        one, other = one[apart], other[apart]
    return root
