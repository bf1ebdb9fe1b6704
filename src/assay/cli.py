"""The `assay` command: data, reviews, the registry and what came out. `assay --help` lists it all."""

from pathlib import Path
from typing import Annotated, Any

import typer

from assay.documents.command import annotate
from assay.documents.command import page as documents_page
from assay.entrypoint import be_quiet, mistakes_in_one_line
from assay.errors import UserError
from assay.inspection.command import inspect
from assay.inspection.command import page as inspection_page
from assay.registry.command import models
from assay.review.command import review
from assay.service.command import serve

app = typer.Typer(
    help="From raw clips, pages and crops to a model that is proven, exported and registered.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
registry = typer.Typer(help="MLflow: runs and registered models.", no_args_is_help=True)
sweep = typer.Typer(help="Named comparisons: experiments x seeds.", no_args_is_help=True)
claims = typer.Typer(
    help="The published numbers: what holds, what does not, what was measured.", no_args_is_help=True
)
page = typer.Typer(help="Pages of the web app, for this machine only.", no_args_is_help=True)
app.add_typer(review, name="review")
app.add_typer(registry, name="registry")
app.add_typer(models, name="models")
app.add_typer(sweep, name="sweep")
app.add_typer(claims, name="claims")
app.add_typer(page, name="page")
app.command()(annotate)
app.command()(inspect)
app.command()(serve)
page.command(name="documents")(documents_page)
page.command(name="inspection")(inspection_page)

DATA = Path("data")
ROOTS = [Path("build"), Path("runs/sweeps")]
MLRUNS = Path("mlruns")


@app.command()
def data(
    project: Annotated[str, typer.Option(help="One project; empty = every project of params.yaml.")] = "",
    source: Annotated[
        str, typer.Option(help="sample: generated here; original: the published images.")
    ] = "sample",
    mirror: Annotated[
        str, typer.Option(help="A local folder that holds <project>/… of the originals; empty = fetch them.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace data of another source.")] = False,
) -> None:
    """Fill data/<project>: generated sample data, or the verified originals. Data that is there stays."""
    from assay.data.fetch import fetch
    from assay.sample import make_sample

    for name in _data_folders(project):
        target = DATA / name
        if source == "original":
            counts = fetch(name, DATA, mirror=Path(mirror) if mirror else None, force=force)["counts"]
            print(f"{target}: {sum(counts.values())} original files, counts and checksums verified")
        elif source != "sample":
            raise UserError(f"--source {source}: expected sample or original")
        elif target.is_dir() and any(target.iterdir()) and not force:
            print(f"{target}: is there and stays")
        else:
            make_sample(name, DATA)
            print(f"{target}: sample data made")


@registry.command()
def sync() -> None:
    """Bring every recorded run and exported model into MLflow. Doing it twice changes nothing."""
    from assay.registry import sync as synchronise

    report = synchronise(ROOTS, mlruns=MLRUNS)
    print(
        f"MLflow: {report.created} runs new, {report.updated} completed, {report.skipped} were there;"
        f" model versions: {', '.join(report.versions) or 'none new'}"
    )
    if report.problems:
        raise UserError("; ".join(report.problems))


@registry.command()
def ui(port: Annotated[int, typer.Option(help="Port on this machine.")] = 5000) -> None:
    """Open MLflow's pages at http://127.0.0.1:5000 (only this machine sees them)."""
    import os

    from assay.registry import ui_command

    # eight more processes, for jobs nobody sends
    os.environ.setdefault("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
    command = ui_command(MLRUNS, port=port)
    print(f"MLflow: http://127.0.0.1:{port} (takes some seconds; stop it with Ctrl-C)", flush=True)
    os.execvp(command[0], command)  # noqa: S606 - the process becomes the server: Ctrl-C ends it


@sweep.command()
def request(
    name: Annotated[str, typer.Argument(help="A sweep of conf/sweep/.")],
    profile: Annotated[str, typer.Option(help="demo, cpu, full or smoke; empty = params.yaml's.")] = "",
    seeds: Annotated[str, typer.Option(help="Seeds with commas, e.g. 1,2,3; empty = the sweep's own.")] = "",
    changes: Annotated[
        list[str],
        typer.Option(
            "--set", help="key=value in every job, e.g. train.epochs=4; tables say so. May be repeated."
        ),
    ] = [],  # noqa: B006  typer reads it, nothing changes it
) -> None:
    """Write down what a sweep is asked for, so that DVC can see it (make sweep does this)."""
    import yaml

    from assay.config.compose import check_name, expand_sweep, read_sweep
    from assay.files import atomic_write

    read_sweep(name)
    params = _params()
    if name not in params["sweeps"]:
        raise UserError(
            f"sweep={name}: the code runs none of its experiments yet; these can be run: {', '.join(params['sweeps'])}"
        )
    profile = profile or params["profile"]
    check_name("profile", profile)
    try:
        numbers = list(dict.fromkeys(int(seed) for seed in seeds.replace(" ", ",").split(",") if seed))
    except ValueError:
        raise UserError(f"SEEDS={seeds}: expected whole numbers with commas, e.g. 1,2,3") from None
    if any(not 0 <= number < 2**31 for number in numbers):
        raise UserError(f"SEEDS={seeds}: a seed is a whole number from 0 to 2147483647")
    if wrong := [change for change in changes if not change.startswith(("model.", "train."))]:
        raise UserError(
            f"SET={wrong[0]}: expected model.<key>=value or train.<key>=value, e.g. train.epochs=4"
        )
    if changes:  # an unknown key or a wrong value is one line now, not a failed stage later
        expand_sweep(name, profile=profile, seeds=numbers[:1] or None, requested=changes)
    path = Path(f"sweeps/request/{name}.yaml")
    text = yaml.safe_dump({"profile": profile, "seeds": numbers, "set": changes})
    if not path.is_file() or path.read_text("utf-8") != text:
        with atomic_write(path) as temporary:
            temporary.write_text(text, "utf-8")
    print(f"{path}: {', '.join([f'{profile} profile', *changes])}, seeds {numbers or 'as in the sweep'}")


@sweep.command()
def publish(name: Annotated[str, typer.Argument(help="A sweep that was run.")]) -> None:
    """Write a finished sweep's table, with command, hardware, data and weights, to results/ for git."""
    from assay.publish import publish_sweep

    print(publish_sweep(name))


@claims.command(name="check")
def check_claims(
    document: Annotated[str, typer.Option(help="One document, e.g. 004; empty = all.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For a program: verdicts and findings.")] = False,
) -> None:
    """Recompute every published number that follows from others; list what does not add up, with the arithmetic.

    Findings are results: the status is 0. A broken file of conf/claims/ is a mistake: one line, status 2.
    """
    from assay.claims.book import load
    from assay.claims.check import check
    from assay.claims.listing import as_json as to_json
    from assay.claims.listing import listing

    book = load()
    if document and document not in book.documents:
        raise UserError(
            f"--document {document}: no such document; these are there: {', '.join(book.documents)}"
        )
    results = check(book)
    if as_json:
        import json

        print(json.dumps(to_json(book, results, document or None), indent=1, ensure_ascii=False))
    else:
        print("\n".join(listing(book, results, document or None)))


@claims.command(name="report")
def report_claims() -> None:
    """Write results/claims/report.md and .html: every claim with its verdict, and what runs measured beside it."""
    from assay.claims.book import load
    from assay.claims.check import check
    from assay.claims.listing import counted
    from assay.claims.measured import read_results
    from assay.claims.report import write_report

    book = load()
    results = check(book)
    print(write_report(Path("results/claims"), book, results, read_results(Path("results"))))
    print("\n".join(counted(book, results, list(book.documents))))


@app.command()
def ledger(project: Annotated[str, typer.Argument(help="A project of classifiers, e.g. cherry.")]) -> None:
    """Write every experiment, published beside measured, and what was learnt, to results/<project>/ledger.*."""
    from assay.config.compose import CONF
    from assay.ledger import write_ledger

    print(write_ledger(project, conf=CONF))


@app.command()
def status() -> None:
    """Print one table: what ran on which data, the main metric with its interval, and where to look."""
    from assay.status import print_table

    print_table(_projects(), mlruns=MLRUNS)


@app.command(name="publish")
def publish_numbers(
    project: Annotated[
        str, typer.Argument(help="A detection project that was evaluated, or a folder of build/.")
    ],
    mining: Annotated[bool, typer.Option("--mining", help="What mining its clips found, instead.")] = False,
    folds: Annotated[bool, typer.Option("--folds", help="What its folds were tested to, instead.")] = False,
) -> None:
    """Write a project's measured numbers, with data, weights, hardware and intervals, to results/ for git."""
    from assay.publish import publish_folds, publish_mining, publish_project

    if mining and folds:
        raise UserError("--mining, --folds: one at a time")
    if folds:
        print(publish_folds(project))
    else:
        print(publish_mining(Path("build") / project) if mining else publish_project(project))


@app.command()
def starter(
    scenes: Annotated[int, typer.Option(help="Training scenes of each of the three kinds.")] = 800,
    epochs: Annotated[int, typer.Option(help="Passes over them.")] = 12,
    seed: Annotated[int, typer.Option(help="Of scenes and training.")] = 0,
) -> None:
    """Train the starter anew: a small detector pre-trained on drawn scenes, for machines without COCO weights."""
    from assay.training.precision import start_torch

    start_torch(seed)
    from assay.config import compose
    from assay.models.detector_weights import STARTERS
    from assay.starter import train_starter

    parts = {name: compose([f"project={name}"]) for name in ("workzone", "infrastructure", "documents")}
    about = train_starter(
        STARTERS,
        classes={name: cfg.project.classes for name, cfg in parts.items()},
        class_map={raw: name for cfg in parts.values() for raw, name in cfg.prepare.class_map.items()},
        scenes=scenes,
        epochs=epochs,
        seed=seed,
        work=Path("runs/starter"),
        say=print,
    )
    print(f"{STARTERS}: mAP50 {about['last']['map50']:.3f} on scenes it has not seen")


def _data_folders(project: str) -> list[str]:
    """Folders below data/ that the project, or each of the graph's, reads; two projects may share one."""
    projects = _params()["projects"]
    if project:  # one that the graph does not know reads what is named after it
        return [projects.get(project, {}).get("data", project)]
    return list(dict.fromkeys(entry["data"] for entry in projects.values()))


def _projects() -> list[str]:
    return list(_params()["projects"])


def _params() -> dict[str, Any]:
    import yaml

    path = Path("params.yaml")
    if not path.is_file():
        raise UserError(f"{path}: no such file here; run `assay` in the repository's root")
    try:
        params: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not readable as YAML: {error}") from None
    missing = [key for key in ("profile", "projects", "sweeps") if not (params or {}).get(key)]
    if missing:
        raise UserError(f"{path}: {', '.join(missing)} missing; git knows how it was")
    return params


def main() -> None:
    """Entry of the console script: a user's mistake is one line and status 2."""
    be_quiet()
    with mistakes_in_one_line():
        app(prog_name="assay")


if __name__ == "__main__":
    main()
