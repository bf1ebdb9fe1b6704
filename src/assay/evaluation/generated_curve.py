"""What drawn training pages bring, as a curve: a metric over how many were drawn for each real one."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.evaluation.plots import COLOURS, STYLES, figure
from assay.evaluation.sections import Section, share


def curve_section(
    folder: Path, found: Sequence[tuple[float, int, Mapping[str, Any]]], *, split: str
) -> Section:
    """The curve as a table and a picture, generated.png in `folder`.

    Args:
        folder: where the picture goes.
        found: (pages drawn for each real one, pages drawn, part "all" of `detection.score`) of every training.
        split: what was scored, for the words.
    """
    found = sorted(found, key=lambda one: one[0])
    classes = [label for label in found[0][2]["classes"] if label not in found[0][2]["not_scored"]]
    draw_curve(folder / "generated.png", [(times, part) for times, _, part in found], classes)
    return Section(
        "How many drawn pages?",
        f"Pages drawn for each real training page, measured on the real {split} pages; 95 % intervals of a bootstrap "
        "over whole documents. Intervals that overlap do not say which is better: the pairs above do.",
        ("drawn for each real page", "drawn", "mAP50", "mAP50-95", *(f"AP50 {label}" for label in classes)),
        [
            [
                f"{times:g}",
                str(count),
                share(part["map50"]),
                share(part["map50_95"]),
                *(share(part["ap50"][label]) for label in classes),
            ]
            for times, count, part in found
        ],
        (("mAP50 and AP50 by class over drawn pages", folder / "generated.png"),),
    )


def draw_curve(path: Path, found: Sequence[tuple[float, Mapping[str, Any]]], classes: Sequence[str]) -> None:
    """mAP50 with its interval and AP50 of every class, over pages drawn for each real one; evenly spaced."""
    places = range(len(found))
    lines = [("mAP50", [part["map50"] for _, part in found])]
    lines += [(f"AP50 {label}", [part["ap50"][label] for _, part in found]) for label in classes]
    with figure(path, 420) as drawn:
        axes = drawn.subplots()
        for number, (name, values) in enumerate(lines):
            colour = COLOURS[number % len(COLOURS)]
            axes.plot(
                places,
                [one["value"] for one in values],
                color=colour,
                linestyle=STYLES[number % len(STYLES)],
                marker="o",
                label=name,
            )
            if not number and not any(math.isnan(one["low"]) for one in values):
                low, high = [one["low"] for one in values], [one["high"] for one in values]
                axes.fill_between(places, low, high, color=colour, alpha=0.12, linewidth=0)
        axes.set(ylim=(0, 1.02), xlabel="drawn pages for each real one", ylabel="average precision")
        axes.set_xticks(list(places), [f"{times:g}" for times, _ in found])
        drawn.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=9)
