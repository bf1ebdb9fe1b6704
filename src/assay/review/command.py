"""`assay review`: what waits, the document's modes, the page, recorded tables. Heavy imports live inside."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from assay.review.offered import Offered

review = typer.Typer()
PROJECT = "workzone"  # document 002 reviews its candidates


class Kind(StrEnum):
    """As in assay.review.decisions, which is too heavy to import here."""

    human = "human"
    model = "model"
    sample_truth = "sample-truth"


class Mode(StrEnum):
    """Of document 002, "Tools Available"."""

    interactive = "interactive"
    export = "export"
    manifest = "manifest"
    stats = "stats"


Project = Annotated[str, typer.Argument(help="A project, e.g. workzone or project=workzone.")]
Reviewer = Annotated[str, typer.Option(help="Who decides.")]
Size = Annotated[int, typer.Option(help="A random sample of so many candidates; 0 = all.", min=0)]
Seed = Annotated[int, typer.Option(help="Of the random sample.")]


@review.callback(invoke_without_command=True)
def overview(
    context: typer.Context,
    *,
    mode: Annotated[
        Mode | None,
        typer.Option(
            help="interactive: decide here, one by one; export: pictures into a folder per decided category, and the "
            "list to label; manifest: every candidate and its decision as CSV; stats: who decided what, agreement."
        ),
    ] = None,
    project: Annotated[
        str, typer.Option(help=f"Of a mode: {PROJECT} unless said; without a mode: all.")
    ] = "",
    sample_size: Size = 0,
    score_range: Annotated[
        tuple[float, float] | None, typer.Option(help="Lowest and highest score, e.g. 0.55 0.65.")
    ] = None,
    category: Annotated[str, typer.Option(help="What was decided, or undecided; empty = any.")] = "",
    max_per_cat: Annotated[int, typer.Option(help="At most so many of each category; 0 = all.", min=0)] = 0,
    reviewer: Reviewer = "",
    kind: Annotated[
        Kind, typer.Option(help="What the reviewer is; only human counts as human.")
    ] = Kind.human,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Where to; runs/review/<project> unless said.")] = None,
) -> None:
    """Say how many candidates wait, in which order, and what a session costs; or run one of document 002's modes.

    A score range chooses and decides nothing: a category is what a person said after looking.
    """
    if context.invoked_subcommand is not None:
        return
    if mode is None:
        _say_what_waits(project)
        return
    offered = _offered(project or PROJECT)
    if category and category not in (known := _categories(offered)):
        raise UserError(f"--category {category}: expected one of {', '.join(known)}")
    if score_range is not None and not 0 <= score_range[0] <= score_range[1] <= 1:
        raise UserError("--score-range: expected two numbers from 0 to 1, the lower first, e.g. 0.55 0.65")
    if mode == Mode.interactive and category not in ("", "undecided"):
        raise UserError(
            "--category: chooses by what was decided; --mode interactive asks about what is undecided"
        )
    from assay.review.order import choose

    decisions = offered.decisions()
    if mode == Mode.stats:
        from assay.review.listing import stats_lines

        print("\n".join(stats_lines(offered, decisions, _clusters(offered))))
        return
    chosen = choose(
        offered.decided(decisions),
        score_range=score_range,
        labels=_wanted(mode, category, offered),
        per_label=max_per_cat or None,
        size=sample_size or None,
        seed=seed,
    )
    if mode == Mode.interactive:
        _interactive(offered, chosen, reviewer, kind)
    elif mode == Mode.manifest:
        from assay.review.listing import write_manifest

        path = write_manifest(offered, chosen, out or offered.exports / "manifest.csv")
        print(f"{path}: {len(chosen)} candidates, {(chosen['decided'] != 'undecided').sum()} of them decided")
    else:
        from assay.review.listing import export

        counts = export(offered, chosen, out or offered.exports / "export")
        listed = ", ".join(f"{count} {label}" for label, count in counts.items())
        print(f"{out or offered.exports / 'export'}: {listed or 'no picture: nobody has decided so yet'}")


@review.command()
def sample(
    project: Project = PROJECT,
    sample_size: Size = 10,
    seed: Seed = 0,
) -> None:
    """Show how the candidates' scores are spread, and a random few by name."""
    from assay.review.listing import sample_lines
    from assay.review.order import choose

    offered = _offered(project)
    print("\n".join(sample_lines(offered, choose(offered.table(), size=sample_size or None, seed=seed))))


@review.command()
def consolidate(
    project: Project = PROJECT,
    folders: Annotated[
        list[Path] | None, typer.Argument(help="More folders of mined clips, e.g. of another machine.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="runs/review/<project>/all unless said.")] = None,
) -> None:
    """Bring all candidates, of this machine and others, into one folder: pictures and one table."""
    from assay.review.listing import consolidate as bring

    offered = _offered(project)
    target = out or offered.exports / "all"
    count, twice = bring(offered, folders or [], target)
    print(f"{target}: {count} candidates, as many pictures; {twice} were there more than once")


@review.command()
def page(
    project: Project = PROJECT,
    reviewer: Reviewer = "",
    kind: Annotated[Kind, typer.Option(help="What the reviewer is.")] = Kind.human,
    port: Annotated[int, typer.Option(help="Port on this machine.", min=1, max=65535)] = 8501,
) -> None:
    """Review in the browser: boxes drawn, a key for each answer. Only this machine sees it; Ctrl-C ends it."""
    from assay.pages import open_page

    offered = _offered(project)
    offered.table()  # what is missing is said here, in one line
    open_page(Path(__file__).with_name("page.py"), offered.to_json(), reviewer, kind.value, port=port)


@review.command()
def record(
    project: Project,
    table: Annotated[
        Path,
        typer.Argument(help="CSV: image, label and, if you like, note and objects (yes/no: does any show?)."),
    ],
    reviewer: Reviewer,
    kind: Annotated[Kind, typer.Option(help="What the reviewer is; only human counts as human.")],
) -> None:
    """Append a reviewer's answers about the current candidates to reviews/<project>/."""
    import csv

    from assay.review.decisions import UNSURE, append_decisions, decisions_from_table
    from assay.review.hard_examples import box_labels

    if not reviewer.strip():
        raise UserError("--reviewer: empty; say who decided, e.g. --reviewer ann")
    offered = _offered(project)
    listed = Path(offered.build) / "candidates/candidates.csv"
    for path, mend in ((listed, f"run `dvc repro mine@{offered.project}`"), (table, "name a CSV file")):
        if not path.is_file():
            raise UserError(f"{path}: no such file; {mend}")
    with listed.open(encoding="utf-8", newline="") as stream:
        candidates = {row["image"]: row["candidate"] for row in csv.DictReader(stream)}
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{table}: not a CSV file in UTF-8 ({error}); save it as one") from None
    labels = box_labels(offered.labels) if offered.boxes else offered.labels
    decisions = decisions_from_table(
        rows, candidates, reviewer=reviewer, kind=kind.value, labels=(*labels, UNSURE), shown=offered.model
    )
    if not decisions:
        raise UserError(f"{table}: no rows; expected one per decided image")
    path = append_decisions(offered.folder, decisions)
    print(f"{path}: {len(decisions)} decisions recorded; `dvc repro` applies them")


@review.command()
def boxes(
    project: Project,
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV, a row per object: image, label, x1, y1, x2, y2 in px; for conditions also condition. For example "
            "objects.csv of `assay inspect`, corrected."
        ),
    ],
    reviewer: Reviewer,
    kind: Annotated[Kind, typer.Option(help="What the reviewer is; only human counts as human.")],
) -> None:
    """Append corrected boxes to reviews/<project>/: all objects of each image that is named, and no others.

    `dvc repro` trains on them where the experiment is a *_reviewed one. Nothing is recorded if a row is wrong.
    """
    from assay.data.conditions_table import CONDITIONS
    from assay.review.decisions import append_decisions
    from assay.review.drawn import drawn_decisions, find_pictures, read_drawn

    if not reviewer.strip():
        raise UserError("--reviewer: empty; say who drew them, e.g. --reviewer ann")
    offered = _offered(project)
    if not offered.things:
        raise UserError(
            f"{offered.project}: its pictures are crops, nothing to draw boxes in; use `assay review record`"
        )
    judged = None if offered.boxes else tuple(dict.fromkeys((*offered.classes, *CONDITIONS)))
    objects = read_drawn(table, classes=offered.things, conditions=judged)
    if judged and not any(one.condition for listed in objects.values() for _, one in listed):
        raise UserError(
            f"{table}: no row says a condition; {offered.project} learns from {', '.join(judged)}"
        )
    decisions = drawn_decisions(
        table,
        objects,
        find_pictures(offered, objects, table),
        reviewer=reviewer,
        kind=kind.value,
    )
    path = append_decisions(offered.folder, decisions)
    count = sum(len(one.drawn) for one in decisions)
    print(f"{path}: {count} boxes on {len(decisions)} images recorded; `dvc repro` applies them")


def _offered(project: str) -> "Offered":
    """The project's configuration as plain values: here it stops."""
    from assay.config import compose
    from assay.review.offered import Offered, What

    cfg = compose([f"project={project.removeprefix('project=')}"])
    tasks: dict[str, What] = {"classification": "crops", "condition": "boxes"}
    return Offered(
        project=cfg.project.name,
        what=tasks.get(cfg.task) or cfg.mine.of,
        build=cfg.build,
        data=cfg.data,
        labels=tuple(cfg.review.labels),
        classes=tuple(cfg.project.classes),
        things=_things(cfg),
    )


def _things(cfg: Any) -> tuple[str, ...]:
    match cfg.task:
        case "detection":
            return tuple(cfg.project.classes)
        case "condition":
            return tuple(cfg.prepare.object_types)
    return ()


def _say_what_waits(project: str) -> None:
    from assay.config.compose import names
    from assay.review.listing import waiting_lines

    mined = [
        name for name in names("project") if Path(f"build/{name}/candidates/candidates.parquet").is_file()
    ]
    if not project and not mined:
        raise UserError("build/*/candidates: nothing was mined yet; run `make repro`")
    for name in [project] if project else mined:
        offered = _offered(name)
        print("\n".join(waiting_lines(offered, offered.decisions())))


def _categories(offered: "Offered") -> list[str]:
    from assay.review.hard_examples import box_labels

    return [*(box_labels(offered.labels) if offered.boxes else offered.labels), "undecided"]


def _wanted(mode: Mode, category: str, offered: "Offered") -> list[str] | None:
    """The decided labels a mode is about: what is to be decided is undecided, what is exported was decided."""
    if category:
        return [category]
    if mode == Mode.interactive:
        return ["undecided"]
    if mode == Mode.export:
        return [label for label in _categories(offered) if label != "undecided"]
    return None


def _clusters(offered: "Offered") -> list[str]:
    from assay.data.detection import photo_bits
    from assay.data.images import read_image
    from assay.review.order import clusters

    return clusters(offered.table(), lambda image: photo_bits(read_image(offered.picture(image))))


def _interactive(offered: "Offered", chosen: "pd.DataFrame", reviewer: str, kind: Kind) -> None:
    from assay.review.session import Session
    from assay.review.terminal import interactive

    if not reviewer.strip():
        raise UserError("--reviewer: empty; say who decides, e.g. --reviewer ann")

    def ask(question: str) -> str:
        try:
            return input(f"{question}: ")
        except EOFError:
            return "q"

    session = Session(offered, reviewer.strip(), kind.value, via="terminal")
    count = interactive(session, chosen, ask=ask, say=print)
    print(f"{offered.folder}: {count} decisions recorded; `dvc repro` applies them")
