"""Draw the graph of the stages: docs/graph-light.svg and docs/graph-dark.svg.

python docs/draw_graph.py
"""

from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 1000, 512
BOX, GAP, LEFT = 124, 17, 15  # px: a stage's box, the space between two, the first one's left edge
TOP, TALL = 232, 92  # of the row of stages

PROJECTS = ("cherry", "workzone", "infrastructure", "conditions", "documents")  # as in params.yaml

# (stage, what it does in two short lines, the folder of build/<project>/ it writes)
STAGES = [
    ("prepare", ("find copies, set", "damage aside"), "dataset/"),
    ("baseline", ("train the", "published model"), "baseline/"),
    ("mine", ("what is worth", "a person's look"), "candidates/"),
    ("review", ("apply recorded", "decisions"), "hard_examples/"),
    ("train", ("the experiment", "you chose"), "model/"),
    ("evaluate", ("predict, score", "with intervals"), "evaluation/"),
    ("export", ("prove it behaves", "like the model"), "export/"),
]


@dataclass(frozen=True)
class Theme:
    """Colours of one drawing."""

    text: str
    quiet: str
    line: str
    stage: str
    edge: str
    place: str  # fill of what is no stage: folders and records
    person: str
    person_edge: str


LIGHT = Theme("#1f2328", "#59636e", "#818b98", "#ddf4ff", "#0969da", "#f6f8fa", "#fff1e5", "#bc4c00")
DARK = Theme("#f0f6fc", "#9198a1", "#768390", "#12253d", "#4493f8", "#1c2128", "#33220f", "#db8b3a")


def left(index: int) -> float:
    """Left edge of a stage's box, px."""
    return LEFT + index * (BOX + GAP)


def middle(index: int) -> float:
    """Horizontal middle of a stage's box, px."""
    return left(index) + BOX / 2


def draw(theme: Theme) -> str:
    """The whole drawing as SVG text."""
    right = left(len(STAGES) - 1) + BOX
    parts = [
        *_projects(right, theme),
        # one configuration for all stages
        _box(LEFT, 74, right - LEFT, 46, fill=theme.place, edge=theme.line),
        _text(
            (LEFT + right) / 2,
            94,
            "configure: conf/ + params.yaml → resolved/<project>.yaml",
            theme.text,
            15,
            bold=True,
        ),
        _text(
            (LEFT + right) / 2,
            112,
            "checked once; a change re-runs only the stages that read the changed keys",
            theme.quiet,
            12.5,
        ),
        *(_arrow([(middle(i), 120), (middle(i), TOP)], theme, dashed=True) for i in range(len(STAGES))),
        # the baseline is also what every model is compared with
        *_over(1, 5, 178, "compared with it", theme),
        *(_stage(i, *STAGES[i], theme) for i in range(len(STAGES))),
        *(
            _arrow([(left(i) + BOX, TOP + 46), (left(i + 1), TOP + 46)], theme)
            for i in range(len(STAGES) - 1)
        ),
    ]
    low = 386  # the row below the stages: what comes in, who answers, where records go
    parts += [
        _box(left(0), low, 190, 62, fill=theme.place, edge=theme.line),
        _text(left(0) + 95, low + 25, "data/<project>", theme.text, 15, bold=True),
        _text(left(0) + 95, low + 45, "sample, original or own", theme.quiet, 12.5),
        _arrow([(middle(0), low), (middle(0), TOP + TALL + 24)], theme),
        _box(left(2), low, 2 * BOX + GAP, 62, fill=theme.person, edge=theme.person_edge),
        _text(left(2) + BOX + GAP / 2, low + 25, "a person looks and answers", theme.text, 15, bold=True),
        _text(left(2) + BOX + GAP / 2, low + 45, "reviews/<project>, kept by git", theme.quiet, 12.5),
        _arrow([(middle(2), TOP + TALL + 24), (middle(2), low)], theme),
        _arrow([(middle(3), low), (middle(3), TOP + TALL + 24)], theme),
        _box(left(5), low, 2 * BOX + GAP, 62, fill=theme.place, edge=theme.line),
        _text(left(5) + BOX + GAP / 2, low + 25, "MLflow in mlruns/", theme.text, 15, bold=True),
        _text(left(5) + BOX + GAP / 2, low + 45, "runs, reports, registered models", theme.quiet, 12.5),
        _arrow([(middle(6), TOP + TALL + 24), (middle(6), low)], theme),
        _text(
            (LEFT + right) / 2,
            low + 98,
            "every stage leaves its record in build/<project>/runs/<stage>; `assay registry sync` brings it into MLflow",
            theme.quiet,
            13,
        ),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif" role="img" '
        f'aria-label="For each of {", ".join(PROJECTS)}: prepare, baseline, mine, review, train, evaluate, export">\n'
        f'<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 8 4 0 8z" fill="{theme.line}"/></marker></defs>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _projects(right: float, theme: Theme) -> list[str]:
    """The names of the projects side by side, for each of which the graph below exists once."""
    lead, gap = 140, 10  # px: for the words before them, between two
    wide = (right - LEFT - lead - gap * (len(PROJECTS) - 1)) / len(PROJECTS)
    parts = [_text(LEFT + lead / 2 - 8, 39, "once for each of", theme.quiet, 13)]
    for index, name in enumerate(PROJECTS):
        x = LEFT + lead + index * (wide + gap)
        parts += [
            _box(x, 14, wide, 40, fill=theme.stage, edge=theme.edge),
            _text(x + wide / 2, 39, name, theme.text, 15, bold=True),
        ]
    return parts


def _stage(index: int, name: str, does: tuple[str, str], writes: str, theme: Theme) -> str:
    x = middle(index)
    return "\n".join(
        [
            _box(left(index), TOP, BOX, TALL, fill=theme.stage, edge=theme.edge),
            _text(x, TOP + 29, name, theme.text, 18, bold=True),
            _text(x, TOP + 54, does[0], theme.quiet, 12.5),
            _text(x, TOP + 71, does[1], theme.quiet, 12.5),
            _text(x, TOP + TALL + 18, writes, theme.edge, 12.5, mono=True),
        ]
    )


def _over(first: int, last: int, y: float, label: str, theme: Theme) -> list[str]:
    """An arrow from one stage to another, above those between, with its label on the line."""
    start, end = middle(first) + 22, middle(last) - 22
    around, half = (middle(last - 2) + middle(last - 1)) / 2, 54  # between two dotted lines
    return [
        _line([(start, TOP), (start, y), (around - half, y)], theme),
        _arrow([(around + half, y), (end, y), (end, TOP)], theme),
        _text(around, y + 4, label, theme.quiet, 12.5),
    ]


def _box(x: float, y: float, width: float, height: float, *, fill: str, edge: str) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8" fill="{fill}" '
        f'stroke="{edge}" stroke-width="1.5"/>'
    )


def _text(
    x: float, y: float, words: str, colour: str, size: float, *, bold: bool = False, mono: bool = False
) -> str:
    weight = ' font-weight="600"' if bold else ""
    family = ' font-family="ui-monospace, Menlo, Consolas, monospace"' if mono else ""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}"{weight}{family} fill="{colour}" '
        f'text-anchor="middle">{escape(words)}</text>'
    )


def _line(points: list[tuple[float, float]], theme: Theme, extra: str = "") -> str:
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{theme.line}" stroke-width="1.5"{extra}/>'


def _arrow(points: list[tuple[float, float]], theme: Theme, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="2 4"' if dashed else ""
    return _line(points, theme, f' marker-end="url(#tip)"{dash}')


if __name__ == "__main__":
    for name, colours in (("light", LIGHT), ("dark", DARK)):
        Path(__file__).with_name(f"graph-{name}.svg").write_text(draw(colours), "utf-8")
