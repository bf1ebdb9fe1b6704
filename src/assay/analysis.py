"""What the notebooks show: tables read from what the graph, the sweeps and the claims have left behind."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import UserError
from assay.files import read_json

if TYPE_CHECKING:
    import pandas as pd

BUILD, RESULTS = Path("build"), Path("results")


def start(folder: Path | None = None) -> Path:
    """Go to the repository's root, from any folder below it, and return it.

    Raises:
        UserError: no folder above this one holds params.yaml.
    """
    here = (folder or Path.cwd()).resolve()
    for root in (here, *here.parents):
        if (root / "params.yaml").is_file():
            os.chdir(root)
            return root
    raise UserError(f"{here}: no params.yaml here or above; open the notebook in the repository")


def split_table(project: str) -> "pd.DataFrame":
    """How many images each split holds, by label; images of "pool" wait for a label."""
    import pandas as pd

    manifest = pd.read_parquet(_there(BUILD / project / "dataset/manifest.parquet", "prepare", project))
    labels = manifest["label"].where(manifest["label"].notna() & (manifest["label"] != ""), "(none)")
    return pd.crosstab(manifest["split"], labels, margins=True, margins_name="all")


def audit_table(project: str) -> "pd.DataFrame":
    """What prepare counted: leaks, near-duplicates, contradicting labels, quarantined files."""
    import pandas as pd

    report = read_json(_there(BUILD / project / "dataset/report.json", "prepare", project))
    return pd.DataFrame({"count": report["counts"]}).rename_axis("of")


def quarantine_table(project: str) -> "pd.DataFrame":
    """The files that prepare left out, with the reason."""
    import pandas as pd

    return pd.read_csv(_there(BUILD / project / "dataset/quarantine.csv", "prepare", project))


def candidate_table(project: str) -> "pd.DataFrame":
    """Why images became candidates: how many for each reason and present label, the surest surprise first."""
    import pandas as pd

    found = pd.read_csv(_there(BUILD / project / "candidates/candidates.csv", "mine", project))
    table = found.groupby(["reason", "label"], dropna=False).agg(
        images=("image", "size"), mean_surprise=("surprise", "mean"), highest=("surprise", "max")
    )
    return table.sort_values("mean_surprise", ascending=False)


def review_table(project: str) -> "pd.DataFrame":
    """How the candidates were decided, by which kind of reviewer, and how many wait."""
    import pandas as pd

    report = read_json(_there(BUILD / project / "hard_examples/report.json", "review", project))
    rows = {key: value for key, value in report.items() if isinstance(value, int | float)}
    rows |= {f"decided: {label}": count for label, count in report["labels"].items()}
    return pd.DataFrame({"count": rows}).rename_axis("of")


def sweep_table(project: str) -> "pd.DataFrame":
    """Every finished job of the project's published sweeps, best first, with its interval and what was published.

    By accuracy; of detectors by mAP50 on the split whose number was published, validation.
    """
    import pandas as pd

    tables = []
    for path in sorted((RESULTS / project).glob("*.csv")):
        table = pd.read_csv(path)
        if {"experiment", "status"} <= set(table.columns):
            tables.append(table[table["status"] == "ok"].assign(sweep=path.stem))
    if not tables:
        raise UserError(f"{RESULTS / project}: no published sweep; `assay sweep publish <name>` writes one")
    found = pd.concat(tables)
    metric = "map50" if "map50" in found else "accuracy"
    if metric == "map50":
        renamed = {"map50_low": "low", "map50_high": "high", "without_leaks_map50": "without_leaks"}
        found = found.rename(columns=renamed)
    columns = ["sweep", "experiment", "seed", "profile", "source", "weights", metric, "low", "high"]
    columns += ["without_leaks", "published", "comparable"]
    return found.reindex(columns=columns).sort_values(metric, ascending=False, ignore_index=True)


def threshold_table(project: str, *, pit_at: float = 0.75, maybe_at: float = 0.5) -> "pd.DataFrame":
    """What two rules on the probability of the second class cost and miss, in shares with 95 % intervals.

    The rules: the most probable class, and the thresholds given (production's by default; document 004).
    """
    import pandas as pd

    from assay.evaluation.classification import decide
    from assay.evaluation.predictions import read_predictions
    from assay.evaluation.routing import PIT, score_routes
    from assay.evaluation.thresholds import rules

    path = _there(BUILD / project / "evaluation/predictions.parquet", "evaluate", project)
    predictions = read_predictions(path)
    answers = decide(predictions.of("model"), predictions.classes[:2])
    rows = {
        (rule.name, f"{name} ({end})" if end != "value" else name): value
        for rule in rules(val=answers, unseen=None, production=(pit_at, maybe_at), recall=0.99)
        for name, share in score_routes(answers.truth, rule.routes(answers.scores[:, PIT])).items()
        for end, value in share.as_dict().items()
    }
    return pd.Series(rows).unstack(0).rename_axis("share")


def latency_table(project: str) -> "pd.DataFrame":
    """How long one prediction of each export takes, and how far it is from the model; milliseconds, shares."""
    import pandas as pd

    path = _there(BUILD / project / "runs/export/metrics.jsonl", "export", project)
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    named = [(point["name"].split("/"), point["value"]) for point in found]
    rows = {
        (runtime, name): float(value) for (_, runtime, name), value in (n for n in named if len(n[0]) == 3)
    }
    return pd.Series(rows).unstack().rename_axis("runtime")


def claims_table() -> "pd.DataFrame":
    """How many published numbers of each document got which verdict."""
    import pandas as pd

    from assay.claims.book import load
    from assay.claims.check import check
    from assay.claims.listing import verdicts

    book = load()
    found = pd.Series(verdicts(book, check(book))).rename("verdict").rename_axis("claim").reset_index()
    found["document"] = found["claim"].str.partition("/")[0]
    return pd.crosstab(found["document"], found["verdict"], margins=True, margins_name="all")


def findings_table() -> "pd.DataFrame":
    """Every finding about the documents: where it stands, what it is, and the arithmetic."""
    import pandas as pd

    from assay.claims.book import load
    from assay.claims.check import check, findings

    found = findings(check(load()))
    columns = ("document", "line", "verdict", "rule", "text")
    return pd.DataFrame([{name: getattr(one, name) for name in columns} for one in found])


def _there(path: Path, stage: str, project: str) -> Path:
    if not path.is_file():
        raise UserError(f"{path}: no such file; `dvc repro {stage}@{project}` writes it")
    return path
