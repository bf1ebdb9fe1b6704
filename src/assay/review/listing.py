"""What is waiting and what was decided: lines for a terminal, a manifest, pictures by category, a list to label."""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from assay.errors import UserError
from assay.files import atomic_write, fresh_folder
from assay.review.agreement import agreements
from assay.review.apply import progress
from assay.review.decisions import Decision
from assay.review.hard_examples import NEGATIVE, TO_ANNOTATE
from assay.review.offered import Offered
from assay.review.order import in_order, score
from assay.review.session import Session

_BAR = 30  # characters of the longest bar
_MANIFEST = (
    "image",
    "candidate",
    "group",
    "reason",
    "score",
    "decided",
    "use",
    "reviewer",
    "at",
    "covered_by",
)


def waiting_lines(offered: Offered, decisions: Sequence[Decision], *, following: int = 3) -> list[str]:
    """How many candidates wait for a person, in which order, and what a session would cost."""
    table = offered.table()
    done = progress(table["candidate"].tolist(), decisions, assumed=offered.seconds)
    person = Session(offered, reviewer="", kind="human", via="terminal")
    next_ones = person.queue(table, decisions)["image"].head(following).tolist()
    measured = done["seconds_measured_from"]
    basis = f"measured between {measured + 1} answers" if measured else "assumed: no measured answers yet"
    open_questions = f" ({done['unsure']} unsure, {done['disputed']} disputed)"
    reasons = ", ".join(f"{count} {reason}" for reason, count in Counter(table["reason"]).most_common())
    return [
        f"{offered.project}: {done['waiting_for_human']} of {done['candidates']} candidates wait for a person"
        f"{open_questions if done['unsure'] or done['disputed'] else ''}: about {done['minutes_waiting']:.0f} min at "
        f"{done['seconds_per_decision']:g} s each ({basis})",
        f"  mined: {reasons}; the most surprising come first, groups taking turns"
        + (f": {', '.join(next_ones)}" if next_ones else ""),
        f"  a model looked at {done['reviewed_by_model']}; assay review page {offered.project}",
    ]


def stats_lines(offered: Offered, decisions: Sequence[Decision], clusters: Sequence[str]) -> list[str]:
    """What was decided by whom, what training may do with it, and whether reviewers agree.

    Args:
        offered: the project.
        decisions: that stand, oldest first.
        clusters: of each candidate, see `assay.review.order.clusters`.
    """
    table = offered.decided(decisions).assign(cluster=clusters)
    kinds = {kind: [d for d in decisions if d.kind == kind] for kind in ("human", "model")}
    lines = waiting_lines(offered, decisions)
    left = table.loc[table["decided"] == "undecided", "cluster"].nunique()
    lines.append(f"  near-duplicates answered together: {left} looks for what is undecided")
    for kind, said in kinds.items():
        people = Counter(d.reviewer for d in said)
        by = ", ".join(f"{name} {count}" for name, count in people.most_common()) or "none"
        looks = sum(not d.covered_by for d in said)
        lines.append(f"  decisions by {kind}: {by}" + (f" ({looks} looks)" if said else ""))
    counts = table["decided"].value_counts()
    lines += [f"  {label}: {count}" for label, count in counts.items()]
    if offered.boxes:
        uses = Counter(table["use"])
        lines.append(f"  hard negatives: {uses[NEGATIVE]}; to be labelled: {uses[TO_ANNOTATE]}")
    for found in agreements(decisions):
        lines.append(f"  {found}")
    if offered.boxes:
        rows = {row["candidate"]: row for row in table.to_dict("records")}

        def negative(decision: Decision) -> str:
            return str(offered.use(decision, rows.get(decision.candidate, {})) == NEGATIVE)

        lines += [f"  hard negative or not: {found}" for found in agreements(decisions, negative)]
    return lines


def sample_lines(offered: Offered, chosen: pd.DataFrame) -> list[str]:
    """How the scores of all candidates are spread, and a few of them by name."""
    table = offered.table()
    values = score(table).to_numpy()
    counts, edges = np.histogram(values, bins=20, range=(0, 1))
    lines = [f"{offered.project}: {len(table)} candidates, score {_spread(values)}"]
    for count, left, right in zip(counts, edges, edges[1:], strict=False):
        if count:
            bar = "█" * max(1, round(_BAR * count / counts.max()))
            lines.append(f"  {left:.2f}-{right:.2f} {count:>6} {bar}")
    for column in ("reason", "state", "group"):
        if column in table:
            common = table[column].value_counts()
            named = ", ".join(f"{name} {count}" for name, count in common.head(8).items())
            lines.append(f"  {column}: {named}{', …' if len(common) > 8 else ''}")
    lines.append(f"  {len(chosen)} of them:")
    for row, value in zip(chosen.to_dict("records"), score(chosen), strict=True):
        lines.append(f"    {value:.3f}  {row['reason']:<12} {offered.picture(row['image'])}")
    return lines


def write_manifest(offered: Offered, chosen: pd.DataFrame, path: Path) -> Path:
    """One row per candidate of `chosen` (see `Offered.decided`): where its picture is, what was decided, by whom.

    A candidate nobody decided says undecided; a label that a model gave is not among them.
    """
    table = chosen.assign(score=score(chosen), picture=[str(offered.picture(one)) for one in chosen["image"]])
    columns = [*_MANIFEST, "picture"]
    with atomic_write(path) as temporary:
        in_order(table, "surprise")[columns].to_csv(temporary, index=False)
    return path


def export(offered: Offered, chosen: pd.DataFrame, folder: Path) -> dict[str, int]:
    """Copy pictures into a folder per category, and list those that need boxes drawn.

    Writes <category>/<picture>, manifest.csv and, for detectors, to_annotate.csv: pictures in which an object shows,
    with the model's boxes as a proposal. None of those is ever trained on with empty labels.

    Args:
        offered: the project.
        chosen: rows of `Offered.decided`.
        folder: is replaced as a whole, if it is an earlier export.

    Returns:
        Category -> pictures.

    Raises:
        UserError: `folder` holds something else.
    """
    with fresh_folder(folder, holding="manifest.csv") as target:
        names = []
        for row in chosen.to_dict("records"):
            name = f"{row['decided']}/{_file_name(offered, row['image'], row['candidate'])}"
            (target / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(offered.picture(row["image"]), target / name)
            names.append(name)
        chosen = chosen.assign(file=names)
        write_manifest(offered, chosen, target / "manifest.csv")
        if offered.boxes:
            label = chosen[chosen["use"] == TO_ANNOTATE]
            columns = ["file", "image", "candidate", "decided", "boxes", "reviewer", "at"]
            label[columns].to_csv(target / "to_annotate.csv", index=False)
    return dict(sorted(Counter(chosen["decided"]).items()))


def consolidate(offered: Offered, folders: Sequence[Path], out: Path) -> tuple[int, int]:
    """Bring candidates of several folders (shards, machines) into one, flat: pictures/, candidates.csv and .parquet.

    Args:
        offered: the project; its own candidates come first.
        folders: more folders as mining a project's clips writes them, pictures included.
        out: is replaced as a whole, if it is an earlier one; it holds as many pictures as the table has rows.

    Returns:
        Candidates, and how many were in more than one folder.

    Raises:
        UserError: a folder holds no candidates, or one of its pictures is missing; `out` holds such pictures itself, or
            something else.
    """
    tables = [_with_paths(offered.table(), offered.picture)]
    for folder in folders:
        path = folder / "candidates.parquet"
        if not path.is_file():
            raise UserError(f"{path}: no such file; name folders that mining clips wrote")
        tables.append(_with_paths(pd.read_parquet(path), folder.joinpath))
    every = pd.concat(tables, ignore_index=True)
    if any(Path(path).resolve().is_relative_to(out.resolve()) for path in every["_path"]):
        raise UserError(f"{out}: holds pictures that are to be copied there; name another folder")
    table = every.drop_duplicates("candidate").reset_index(drop=True)
    taken: set[str] = set()
    with fresh_folder(out, holding="candidates.csv") as target:
        (target / "pictures").mkdir()
        names = []
        for row in table.to_dict("records"):
            path = Path(row["_path"])
            name = path.name if offered.what == "clips" else row["candidate"] + path.suffix
            if name in taken:  # two clips of one name
                name = f"{row['candidate']}_{name}"
            if not path.is_file():
                raise UserError(f"{path}: missing, but {row['candidate']} is listed; mine again")
            shutil.copyfile(path, target / "pictures" / name)
            taken.add(name)
            names.append(f"pictures/{name}")
        table = table.drop(columns="_path").assign(file=names)
        table.to_csv(target / "candidates.csv", index=False)
        table.to_parquet(target / "candidates.parquet", index=False)
    return len(table), len(every) - len(table)


def _with_paths(table: pd.DataFrame, picture: Callable[[str], Path]) -> pd.DataFrame:
    return table.assign(_path=[str(picture(image)) for image in table["image"]])


def _file_name(offered: Offered, image: str, candidate: str) -> str:
    path = offered.picture(image)
    return path.name if offered.what == "clips" else candidate + path.suffix


def _spread(values: np.ndarray) -> str:
    if not len(values):
        return "-"
    return f"{values.mean():.3f} ± {values.std():.3f}, {values.min():.3f} to {values.max():.3f}"
