"""What clips yielded, as document 002 reports it: a few lines for a terminal, and pictures of the distributions."""

import io
from collections.abc import Mapping
from typing import Any

import pandas as pd

from assay.mining.clip_table import BINS
from assay.mining.zone import STATES

_BAR = 24  # characters of the longest bar


def summary_lines(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(what, value) of statistics.json, in the document's order."""
    total, clips = found["candidates"], found["clips"]
    lines = [
        (
            "clips",
            f"{clips}, {found['clips_with_candidates']} with candidates, {found['quarantined']} set aside",
        ),
        ("frames", f"{found['frames']} looked at, {found['inferred']} of them by the detector"),
        ("candidates", f"{total}, {found['gate_passed']} passed the gate, {found['verified']} verified"),
    ]
    for name, key in (("frame score", "yolo_score"), ("fused score, smoothed", "fused_score_ema")):
        lines.append((name, _spread(found[key])))
    lines.append(("frame score at least .80", _percent(found["yolo_score_at_least_.80"])))
    for least, share in found["p1_confidence_at_least"].items():
        lines.append((f"gate's confidence at least {least}", _percent(share)))
    for state in STATES:
        lines.append((f"zone {state}", _part(found["states"].get(state, 0), total)))
    for cues, count in found["sustained_cues"].items():
        lines.append((f"{cues} sustained cues", _part(count, total)))
    mean = found["channelization"]["mean"]
    lines.append(("channelization, mean", "-" if mean is None else f"{mean:.1f} per frame"))
    for name in BINS:
        lines.append((f"channelization {name}", _part(found["channelization"][name], total)))
    return lines


def summary_text(found: Mapping[str, Any]) -> str:
    """`summary_lines` in two columns."""
    lines = summary_lines(found)
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in lines)


def draw_distributions(table: pd.DataFrame) -> bytes:
    """Six panels as one PNG: both scores, the gate's confidence, zone states, sustained cues, channelization."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from assay.evaluation.plots import COLOURS

    figure = Figure(figsize=(11, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3).ravel()
    scores = (
        ("yolo_score", "frame score"),
        ("fused_score_ema", "fused score, smoothed"),
        ("p1_confidence", "gate's confidence"),
    )
    for axis, (column, title) in zip(axes, scores, strict=False):
        axis.hist(table[column].to_numpy(float), bins=40, range=(0, 1), color=COLOURS[0])
        axis.set_title(title)
    cues = table["p1_num_sustained"].astype(int).value_counts().sort_index()
    shown = table["count_channelization"].astype(int)
    bars: tuple[tuple[str, dict[str, int]], ...] = (
        ("zone", {state: int((table["state"] == state).sum()) for state in STATES}),
        ("sustained cues", {str(number): int(count) for number, count in cues.items()}),
        ("channelization", {name: int(shown.between(*ends).sum()) for name, ends in BINS.items()}),
    )
    for axis, (title, counts) in zip(axes[3:], bars, strict=True):
        axis.bar(list(counts), list(counts.values()), color=COLOURS[4])
        axis.set_title(title)
    for axis in axes:
        axis.tick_params(labelsize=8)
        axis.set_ylabel("candidates", fontsize=8)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=90, metadata={"Software": None})
    return stream.getvalue()


def _spread(found: Mapping[str, float | None]) -> str:
    """`.874 ± .042 (.20 to .90)`."""
    if found["mean"] is None:
        return "-"
    return f"{found['mean']:.3f} ± {found['std']:.3f} ({found['min']:.2f} to {found['max']:.2f})"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _part(count: int, total: int) -> str:
    """`5666  31.6 %  ███████`."""
    share = count / total if total else 0.0
    return f"{count:>6}  {100 * share:5.1f} %  {'█' * round(_BAR * share)}".rstrip()
