"""Candidates with their boxes drawn, and clips with their timelines, as a page that opens by double click."""

import base64
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assay.files import atomic_write

WIDTH = 360  # px of a thumbnail
SHOWN = 400  # candidates on the page, at most: about 15 kB each
_STRIP = (720, 64)  # px of a timeline's picture
_STATE_COLOURS = {"OUT": "#d9e2d5", "APPROACHING": "#f6d58c", "INSIDE": "#e89a80", "EXITING": "#cdb4dc"}
_WHY = {
    "flicker": "flickers",
    "false_alarm": "false alarm",
    "disagreement": "two looks disagree",
    "unsure_condition": "condition unsure",
    "uncertain": "unsure",
    "code_unseen": "QR code read, not found",
    "code_unread": "QR code found, not read",
    "merged": "many boxes, one mark",
    "low_confidence": "hardly sure",
}

_HEAD = """<!doctype html><meta charset="utf-8"><title>{{ title }}</title>
<style>
 body{font:15px/1.45 system-ui,sans-serif;margin:2rem;max-width:90rem;color:#222;background:#fafafa}
 .grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(16rem,1fr));gap:.8rem}
 figure{margin:0;padding:.5rem;background:#fff;border:1px solid #ddd;border-radius:6px}
 figure.miss{border-color:#b4441f} img{width:100%;background:#000;border-radius:3px}
 figcaption{font-size:.78rem;overflow-wrap:anywhere} b{color:#b4441f} code{background:#eee;padding:.1rem .3rem}
 .clip{margin:.6rem 0} .clip img{max-width:{{ strip }}px;display:block;background:none}
 .wide{max-width:62rem;background:none} table{border-collapse:collapse;font-size:.85rem;float:left;margin-right:2rem}
 td{padding:0 .8rem 0 0} pre{margin:0} h2{clear:both}
 i{display:inline-block;width:.9rem;height:.9rem;vertical-align:-.1rem;border-radius:2px;margin:0 .2rem 0 .8rem}
</style>
<h1>{{ title }}</h1>
<p>{{ summary }}</p>
<p>To decide, run <code>assay review page {{ project }}</code>, or
write a CSV with the columns <code>image,label</code> (labels: {{ labels }}) and record it:
<code>assay review record {{ project }} decisions.csv --reviewer YOUR-NAME --kind human</code>{% if says %}<br>
{{ says }}{% endif %}</p>
<p>Boxes: the model's, by class and with their score; corners only: found in the mirror image alone; thin and white:
drawn by a person.{% if left %} {{ left }} more candidates are in candidates.csv.{% endif %}</p>
"""
_OVERVIEW = """<h2>Distributions</h2>
<table>{% for name, value in lines %}<tr><td>{{ name }}</td><td><pre>{{ value }}</pre></td></tr>{% endfor %}</table>
<img class="wide" src="data:image/png;base64,{{ png }}" alt="distributions">
"""
_STRIP_HTML = """{% if first %}<h2>Clips</h2><p>The smoothed fused score along each clip, from 0 to 1; ticks below are
candidates; dashes are the zone's thresholds.{% for name, colour in colours.items() %}
<i style="background:{{ colour }}"></i>{{ name }}{% endfor %}</p>{% endif %}
<div class="clip">{{ clip }}<img src="data:image/png;base64,{{ png }}" alt="timeline of {{ clip }}"></div>
"""
_FIGURE = """<figure class="{{ row.reason }}">
<img loading="lazy" src="data:image/jpeg;base64,{{ jpeg }}" alt="{{ row.image }}">
<figcaption>{% if row.reason == "miss" %}<b>miss</b>{% else %}{{ why }}{% endif %}{% if row.about %} ·
{{ row.about }}{% endif %} · {{ "%.2f"|format(row.surprise) }}{% if row.state %} ·
{{ row.state }} · {{ row.p1_num_sustained }} cues · {{ row.time_sec }} s{% endif %}<br>
{% if row.label %}label: {{ row.label }}<br>{% endif %}{{ row.image }}
{% if row.group_size and row.group_size > 1 %}<br>one of {{ row.group_size }} that belong together{% endif %}
</figcaption></figure>
"""


def write_boxes_page(
    path: Path,
    candidates: pd.DataFrame,
    load: Callable[[str], np.ndarray],
    *,
    project: str,
    classes: Sequence[str],
    labels: Sequence[str],
    summary: str,
    says: str = "",
    timelines: Mapping[str, Path] | None = None,
    thresholds: Sequence[float] = (),
    overview: tuple[Sequence[tuple[str, str]], bytes] | None = None,
    shown: int = SHOWN,
) -> None:
    """Write a self-contained HTML page, one picture at a time.

    Args:
        path: the file to write.
        candidates: the table of `rank_images` or of `assemble`; groups (clips, neighbouring photos) take turns.
        load: image -> uint8 (H, W, 3) RGB.
        project: the project's name, for the command a reviewer needs.
        classes: names; a class keeps its colour.
        labels: what a reviewer may answer.
        summary: one sentence under the title.
        says: one more sentence about how to answer.
        timelines: clip -> its timeline.csv; a picture of each comes before the candidates.
        thresholds: of the smoothed fused score, drawn into each timeline.
        overview: lines (what, value) and a PNG, shown first; see `assay.mining.clip_summary`.
        shown: so many candidates at most.
    """
    from jinja2 import Environment

    env = Environment(autoescape=True)
    strip, figure = env.from_string(_STRIP_HTML), env.from_string(_FIGURE)
    rows = _in_turn(candidates, shown)
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.write(
            env.from_string(_HEAD).render(
                title=f"{project}: {len(candidates)} candidates for review",
                project=project,
                labels=", ".join(labels),
                summary=summary,
                says=says,
                strip=_STRIP[0],
                left=len(candidates) - len(rows),
            )
        )
        if overview is not None:
            lines, png = overview[0], base64.b64encode(overview[1]).decode()
            stream.write(env.from_string(_OVERVIEW).render(lines=lines, png=png))
        for number, (clip, table) in enumerate(sorted((timelines or {}).items())):
            frames = candidates.loc[candidates["group"] == clip, "frame"].tolist()
            png = _strip(pd.read_csv(table), frames, thresholds)
            stream.write(strip.render(first=number == 0, colours=_STATE_COLOURS, clip=clip, png=png))
        stream.write('<h2>Candidates</h2>\n<div class="grid">\n')
        for row in rows:
            jpeg = _thumbnail(load(row["image"]), json.loads(row["boxes"]), classes)
            why = _WHY.get(row["reason"], row["reason"])
            stream.write(figure.render(row=row, jpeg=jpeg, why=why))
        stream.write("</div>\n")


def _in_turn(candidates: pd.DataFrame, shown: int) -> list[dict[Any, Any]]:
    """At most `shown` rows: the most surprising of each group, then the second of each, and so on."""
    order = candidates.sort_values("surprise", ascending=False, kind="stable").reset_index(drop=True)
    turn = order.groupby("group").cumcount().sort_values(kind="stable").index[:shown]
    return order.loc[turn].to_dict("records")


def _thumbnail(image: np.ndarray, boxes: list[dict[str, Any]], classes: Sequence[str]) -> str:
    """The picture, `WIDTH` px wide at most, with its boxes: base64 of a JPEG."""
    from PIL import Image

    height, width = image.shape[:2]
    scale = min(1.0, WIDTH / width, WIDTH / height)
    small = Image.fromarray(image).resize(
        (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BOX
    )
    drawn = draw_boxes(np.array(small), boxes, classes, scale=scale)
    stream = io.BytesIO()
    Image.fromarray(drawn).save(stream, "JPEG", quality=80)
    return base64.b64encode(stream.getvalue()).decode()


def draw_boxes(
    image: np.ndarray,
    boxes: list[dict[str, Any]],
    classes: Sequence[str],
    *,
    scale: float = 1.0,
    thickness: int = 1,
    text: float = 0.3,
    scores: bool = True,
) -> np.ndarray:
    """Draw stored boxes (see `boxes_json`) into a copy of uint8 (H, W, 3) RGB.

    Args:
        image: the picture.
        boxes: in px of the picture before it was scaled.
        classes: names; a class keeps its colour.
        scale: of the picture.
        thickness: px of the model's lines.
        text: size of what is written, as OpenCV counts it.
        scores: whether the model's scores are written.
    """
    import supervision as sv

    # white and thin for what a person drew; supervision writes colours as BGR, so red and blue change places
    palette, white = sv.ColorPalette.DEFAULT, sv.Color.WHITE
    scene = np.ascontiguousarray(image[..., ::-1])
    for origins, painter in (
        (("label",), sv.BoxAnnotator(color=white, thickness=1)),
        (
            ("mirrored", "augmented"),
            sv.BoxCornerAnnotator(color=palette, thickness=thickness + 1, corner_length=6),
        ),
        (("model",), sv.BoxAnnotator(color=palette, thickness=thickness)),
    ):
        own = [box for box in boxes if box["origin"] in origins]
        if not own:
            continue
        found = sv.Detections(
            xyxy=np.array([box["box"] for box in own], np.float32) * scale,
            class_id=np.array([classes.index(box["label"]) for box in own]),
        )
        scene = painter.annotate(scene, found)
        if "model" in origins:
            words = [f"{box['label']} {box['score']:.2f}" if scores else box["label"] for box in own]
            writer = sv.LabelAnnotator(palette, text_color=sv.Color.BLACK, text_scale=text, text_padding=2)
            scene = writer.annotate(scene, found, labels=words)
    return np.ascontiguousarray(scene[..., ::-1])


def _strip(timeline: pd.DataFrame, frames: Sequence[int], thresholds: Sequence[float]) -> str:
    """A clip's timeline: states as colours, the smoothed fused score as a line, candidates as ticks; base64 PNG."""
    from PIL import Image, ImageDraw

    width, height = _STRIP
    low = height - 10  # the ticks' row
    picture = Image.new("RGB", _STRIP, "white")
    pen = ImageDraw.Draw(picture)
    last = max(int(timeline["frame"].iloc[-1]), 1) if len(timeline) else 1

    def across(frame: float) -> float:
        return frame / last * (width - 1)

    def up(score: float) -> float:
        return (1 - score) * (low - 1)

    for start, end, state in _runs(timeline):
        pen.rectangle((across(start), 0, across(end), low), fill=_STATE_COLOURS[state])
    for threshold in thresholds:
        for left in range(0, width, 8):
            pen.line((left, up(threshold), left + 3, up(threshold)), fill="#888")
    line = [
        (across(frame), up(score))
        for frame, score in zip(timeline["frame"], timeline["fused_score_ema"], strict=True)
    ]
    pen.line(line, fill="#222", width=2)
    for frame in frames:
        pen.line((across(frame), low + 2, across(frame), height), fill="#b4441f")
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def _runs(timeline: pd.DataFrame) -> Iterator[tuple[int, int, str]]:
    """First frame, first frame of the next run, state."""
    if timeline.empty:
        return
    change = (timeline["state"] != timeline["state"].shift()).cumsum()
    starts = timeline.groupby(change)["frame"].first().tolist()
    states = timeline.groupby(change)["state"].first().tolist()
    ends = [*starts[1:], int(timeline["frame"].iloc[-1])]
    for start, end, state in zip(starts, ends, states, strict=True):
        yield int(start), int(end), str(state)
