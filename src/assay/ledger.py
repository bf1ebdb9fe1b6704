"""Every experiment of a project beside what was measured of it: results/<project>/ledger.md and ledger.html.

Written from conf/ (what was published) and the committed tables of sweeps (what was measured), so anyone can make it
again from a clone, without data or models. Numbers on other than original data are passed over.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.config.base import Experiment
from assay.errors import UserError
from assay.evaluation.intervals import Interval, wilson
from assay.evaluation.sections import Section, share, to_markdown

if TYPE_CHECKING:
    import pandas as pd

HEADER = (
    "experiment",
    "sweeps",
    "published",
    "measured as published",
    "measured clean",
    "without copies",
    "how",
    "verdict",
)

ONE_EPOCH = r"train\.epochs \d+ -> 1(?!\d)"  # of such a training there is no epoch to choose


@dataclass(frozen=True)
class Row:
    """An experiment of conf/, the sweeps it belongs to, and its published accuracy with Wilson's interval, if any."""

    experiment: Experiment
    sweeps: tuple[str, ...]
    accuracy: Interval | None


@dataclass(frozen=True)
class Ledger:
    """What a project's documents report: `images` validation images, `majority` (0-1) of them of one class."""

    rows: tuple[Row, ...]
    images: int
    majority: float


def write_ledger(project: str, *, conf: Path, results: Path = Path("results")) -> Path:
    """Write the ledger of a classification project; returns the Markdown file.

    Raises:
        UserError: no experiment of the project publishes a confusion matrix, so shares have no known number of images.
    """
    from assay.evaluation.plots import ForestRow, plot_forest
    from assay.evaluation.report import page
    from assay.files import atomic_write

    ledger, tables = read_ledger(project, conf), read_tables(results / project)
    title = f"{project}: every experiment, published and measured"
    sections = [_every_row(ledger, tables), learnt(ledger, tables)]
    target = results / project / "ledger.md"
    with atomic_write(target) as temporary:
        temporary.write_text("\n".join([f"# {title}", "", *map(to_markdown, sections)]), "utf-8")
    forest = [
        ForestRow(f"{row.experiment.id}, published", row.accuracy) for row in ledger.rows if row.accuracy
    ]
    forest += [
        ForestRow(f"{found['experiment']}, measured: {_how(found)}", _interval(found, "as_published"))
        for found in tables.to_dict("records")
    ]
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "forest.png"
        plot_forest(picture, forest, label="accuracy, its epoch chosen on the images reported")
        shown = Section("Every accuracy with its 95 % interval", figures=[("", picture)])
        text = page("ledger.html.j2").render(title=title, sections=[*sections, shown])
    with atomic_write(target.with_suffix(".html")) as temporary:
        temporary.write_text(text, "utf-8")
    return target


def read_ledger(project: str, conf: Path) -> Ledger:
    """What conf/ says of the project's experiments, in the order of their sweeps.

    Raises:
        UserError: as `write_ledger`.
    """
    from assay.config.compose import check_name, names, read_sweep

    check_name("project", project, conf)
    found = _experiments(project, conf)
    sweeps = [sweep for name in names("sweep", conf) if (sweep := read_sweep(name, conf)).project == project]
    matrices = [_matrix(one) for one in found.values()]
    counts = next((list(map(sum, matrix)) for matrix in matrices if matrix), None)
    if counts is None:
        raise UserError(
            f"ledger {project}: only classifiers with a published confusion matrix have one: "
            f"{', '.join(_with_ledger(conf)) or 'none'}"
        )
    order = dict.fromkeys([name for sweep in sweeps for name in sweep.experiments] + list(found))
    rows = []
    for name in order:
        one = found[name]
        value = one.published.share("accuracy") if one.published else None
        members = tuple(sweep.name for sweep in sweeps if name in sweep.experiments)
        rows.append(
            Row(one, members, None if value is None else wilson(round(value * sum(counts)), sum(counts)))
        )
    return Ledger(tuple(rows), sum(counts), max(counts) / sum(counts))


def read_tables(folder: Path) -> "pd.DataFrame":
    """The rows of all sweep tables in `folder` that ended well on original data, with `table`, their file's stem."""
    import pandas as pd

    needed = {"experiment", "source", "status", "as_published", "accuracy", "comparable", "n"}
    tables = [pd.read_csv(path).assign(table=path.stem) for path in sorted(folder.glob("*.csv"))]
    kept = [table for table in tables if needed <= set(table.columns)]
    if not kept:
        return pd.DataFrame(columns=sorted(needed))
    rows = pd.concat(kept, ignore_index=True)
    return rows[(rows["source"] == "original") & (rows["status"] == "ok")].reset_index(drop=True)


def learnt(ledger: Ledger, tables: "pd.DataFrame") -> Section:
    """What the numbers say, each sentence computed from them."""
    told: list[tuple[str, str]] = []
    published = {row.experiment.id: row.accuracy.value for row in ledger.rows if row.accuracy}
    for name, accuracy in published.items():
        if round(accuracy * ledger.images) == round(ledger.majority * ledger.images):
            share_of_one = f"its published {100 * accuracy:.2f} % is the share of the larger class"
            told.append((f"{name} collapsed", share_of_one))
    best = max(published, key=published.__getitem__, default=None)
    if best is not None:
        tied = [
            name
            for name, accuracy in published.items()
            if name != best and not _apart(published[best], accuracy, ledger.images)
        ]
        told.append(
            (
                f"of {len(published)} published accuracies {len(tied)} cannot be told from the best, {best}",
                f"the 95 % interval of the difference (Newcombe, unpaired) holds 0 for {', '.join(tied) or 'none'}; "
                "a paired test needs predictions, which were not published",
            )
        )
    chosen = tables[~tables["comparable"].astype(str).str.contains(ONE_EPOCH)]
    for title, gain in (
        ("choosing the epoch on the reported images", chosen["as_published"] - chosen["accuracy"]),
        (
            "leaving out the copies of training images",
            tables.get("without_leaks", tables["accuracy"]) - tables["accuracy"],
        ),
    ):
        if len(gain):
            points = 100 * gain.astype(float)
            told.append(
                (
                    f"{title} changes accuracy by {points.mean():+.2f} points",
                    f"mean of {len(points)} measured rows, {points.min():+.2f} to {points.max():+.2f}",
                )
            )
    return Section("What was learnt", header=("finding", "from"), rows=told)


def _every_row(ledger: Ledger, tables: "pd.DataFrame") -> Section:
    rows = []
    for row in ledger.rows:
        published = (
            share(row.accuracy.as_dict()) if row.accuracy else "planned" if row.experiment.planned else ""
        )
        known = (row.experiment.id, ", ".join(row.sweeps), published)
        measured = tables[tables["experiment"] == row.experiment.id].to_dict("records")
        for found in measured:
            numbers = [share(_interval(found, name).as_dict()) for name in ("as_published", "accuracy")]
            without = f"{100 * found['without_leaks']:.1f} %" if found.get("without_leaks") else ""
            rows.append((*known, *numbers, without, _how(found), _verdict(row, found)))
        if not measured:
            rows.append((*known, "", "", "", "", "no row yet"))
    note = (
        f"Accuracy on the {ledger.images} original validation images with Wilson's 95 % interval. As published: the "
        "epoch is chosen on these images; clean: on a part of the training images that is kept back, so both train on "
        "the rest. Where numbers are missing, no committed table with both choices, on original data, has the "
        "experiment yet."
    )
    return Section("Every experiment", note=note, header=HEADER, rows=rows)


def _how(found: Mapping[Any, Any]) -> str:
    return f"{found['weights']} weights, seed {found['seed']}, table {found['table']}"


def _verdict(row: Row, found: Mapping[Any, Any]) -> str:
    collapsed, comparable = found.get("collapsed"), found.get("comparable")
    doubt = "" if comparable == "yes" else f"not comparable: {str(comparable).removeprefix('no: ')}"
    if isinstance(collapsed, str):
        return f"collapsed: {collapsed}" + (f"; {doubt}" if doubt and row.accuracy else "")
    if row.accuracy is None:
        return "nothing published"
    if doubt:
        return doubt
    measured = _interval(found, "as_published")
    if measured.low <= row.accuracy.value <= measured.high:
        return "confirmed: the published value lies in the measured interval"
    return "published value is higher" if row.accuracy.value > measured.high else "published value is lower"


def _interval(found: Mapping[Any, Any], name: str) -> Interval:
    return wilson(round(found[name] * found["n"]), int(found["n"]))


def _apart(one: float, other: float, images: int) -> bool:
    """Whether two published accuracies differ beyond noise, taken as independent samples (Newcombe 1998)."""
    from statsmodels.stats.proportion import confint_proportions_2indep

    first, second = (round(accuracy * images) for accuracy in (one, other))
    low, high = confint_proportions_2indep(first, images, second, images, method="newcomb")
    return bool(low > 0 or high < 0)


def _experiments(project: str, conf: Path) -> dict[str, Experiment]:
    from assay.config.compose import names, read_yaml

    return {
        name: Experiment.model_validate(read_yaml(conf / f"experiment/{project}/{name}.yaml")["experiment"])
        for name in names(f"experiment/{project}", conf)
    }


def _matrix(experiment: Experiment) -> Any:
    """The published confusion matrix, rows by true class; None where there is none."""
    return (experiment.published.model_extra or {}).get("confusion_matrix") if experiment.published else None


def _with_ledger(conf: Path) -> list[str]:
    from assay.config.compose import names

    return [name for name in names("project", conf) if any(map(_matrix, _experiments(name, conf).values()))]
