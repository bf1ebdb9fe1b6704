"""Bundles into runs: `assay registry sync`.

Tags hold it together. `assay.bundle` on a run is the id of the bundle it was made from, `assay.bundle.<kind>`
on a model's run the evaluation or export that is shown there, and `assay.synced` lists the bundles brought in
whole; it is written last, so a bundle without its mark is brought in again. That is harmless: MLflow keeps
equal points of a metric once, parameters are written where they are missing, files overwrite themselves.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import UserError
from assay.registry import store
from assay.registry.card import write_cards
from assay.registry.versions import register
from assay.tracking import Bundle, find_bundles

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow's limits (mlflow/utils/validation.py; tags were 5000 before 3.2).
_KEY, _PARAM, _TAG, _DIGEST = 250, 6000, 5000, 36
_METRICS_PER_CALL, _PARAMS_PER_CALL = 1000, 100
_MARKS_KEPT = 60  # of `assay.synced`: 66 characters each


@dataclass
class SyncReport:
    """What a sync did, counted in bundles; one being written is skipped; `versions` are "<name> <n>"."""

    created: int = 0
    updated: int = 0
    skipped: int = 0
    versions: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def sync(roots: Sequence[Path], *, mlruns: Path = store.MLRUNS, pyfunc: Path | None = None) -> SyncReport:
    """Bring every bundle below `roots` into MLflow; `pyfunc` is the file that serves registered models.

    Runs of one model (its training, evaluation and export) become one MLflow run. Damaged bundles and
    evaluations of unknown models are named in the report and keep nothing else back. Call it in the
    repository's root. Raises UserError when the store cannot be used.
    """
    bundles, problems = find_bundles(roots)
    report = SyncReport(problems=problems)
    local = store.server() is None
    if local and not _pending(bundles, store.known_locally(mlruns)):  # no lock, no import of MLflow
        report.skipped = len(bundles)
        return report

    store.connect(mlruns)
    with store.mistakes_named(mlruns):
        if local:
            with store.exclusive(mlruns):
                client = store.open_local(mlruns)
                _bring_in(client, bundles, store.known_locally(mlruns), report, mlruns=mlruns, pyfunc=pyfunc)
        else:
            from mlflow import MlflowClient

            client = MlflowClient()
            _bring_in(client, bundles, store.known_on_server(client), report, mlruns=None, pyfunc=pyfunc)
    return report


def _pending(bundles: Iterable[Bundle], known: store.Known) -> list[Bundle]:
    return [bundle for bundle in bundles if not bundle.alive and _mark(bundle) not in known.synced]


def _mark(bundle: Bundle) -> str:
    """Name of a bundle's state: a run that was continued or wrongly taken for dead gets another one."""
    return f"{bundle.id}@{bundle.ended or 'killed'}"


def _bring_in(
    client: "MlflowClient",
    bundles: Sequence[Bundle],
    known: store.Known,
    report: SyncReport,
    *,
    mlruns: Path | None,
    pyfunc: Path | None,
) -> None:
    from mlflow.exceptions import MlflowException

    pending = _pending(bundles, known)
    report.skipped = len(bundles) - len(pending)
    for bundle in sorted(pending, key=_is_guest):  # models before what is shown in their runs
        try:
            experiment = store.experiment(client, bundle.project, mlruns)
            if _is_guest(bundle):
                run = _host(bundle, known)
                report.updated += 1
                _update_guest(client, run, bundle)
            else:
                old = known.runs.get(bundle.id)
                report.created += old is None
                report.updated += old is not None
                run = known.runs[bundle.id] = old or _create(client, experiment, bundle, known)
                _update_own(client, run, bundle)
                _adopt(client, run, bundle, bundles, known)
            if bundle.status == "finished" and (wish := bundle.model()):
                report.versions += register(
                    client, bundle, wish, run=run, experiment=experiment, pyfunc=pyfunc
                )
            if _is_guest(bundle):
                write_cards(client, run, mlruns)
            _mark_synced(client, run, bundle)
        except UserError as error:
            report.problems.append(str(error))
        except MlflowException as error:
            if error.error_code in ("TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR"):  # the store, not the bundle
                raise
            report.problems.append(f"{bundle.folder}: MLflow refuses it ({str(error).splitlines()[0]})")


def _is_guest(bundle: Bundle) -> bool:
    """Whether the bundle is shown in the run of the model it examines or exports."""
    return bundle.model_id not in (None, bundle.id)


def _host(bundle: Bundle, known: store.Known) -> str:
    run = known.runs.get(str(bundle.model_id))
    if run is None:
        raise UserError(
            f"{bundle.folder}: the run {bundle.model_id} that trained its model is neither in MLflow nor in a"
            " bundle; run `dvc repro` to bring it back, then `assay registry sync`"
        )
    return run


def _create(client: "MlflowClient", experiment: str, bundle: Bundle, known: store.Known) -> str:
    tags = {"assay.bundle": bundle.id}
    if bundle.parent in known.runs:
        tags["mlflow.parentRunId"] = known.runs[str(bundle.parent)]
    run = client.create_run(experiment, start_time=_ms(bundle.started), tags=tags, run_name=bundle.name)
    return str(run.info.run_id)


def _update_own(client: "MlflowClient", run: str, bundle: Bundle) -> None:
    """Make the run say all that its own bundle says."""
    from mlflow.entities import Param

    written = client.get_run(run).data.params
    params = {_key(name): _text(value, _PARAM) for name, value in bundle.params.items()}
    missing = [Param(name, value) for name, value in params.items() if name not in written]
    for some in _chunks(missing, _PARAMS_PER_CALL):
        client.log_batch(run, params=some)
    _log_tags(client, run, _tags(bundle))
    _log_metrics(client, run, bundle)
    _log_data(client, run, bundle)
    _log_files(client, run, bundle, folder=None)
    status = {"finished": "FINISHED", "failed": "FAILED", "running": "KILLED"}[bundle.status]
    last_seen = max((_ms(point.time) for point in bundle.points()), default=_ms(bundle.started))
    client.set_terminated(run, status, _ms(bundle.ended) if bundle.ended else last_seen)


def _update_guest(client: "MlflowClient", run: str, bundle: Bundle) -> None:
    """Show an evaluation or export in its model's run: files below <kind>/, tags where they are missing."""
    said = client.get_run(run).data.tags
    new = {key: value for key, value in _tags(bundle).items() if key not in said}
    _log_tags(client, run, new | {f"assay.bundle.{bundle.kind}": bundle.id})
    _log_metrics(client, run, bundle)
    _log_files(client, run, bundle, folder=bundle.kind)


def _adopt(
    client: "MlflowClient", run: str, bundle: Bundle, bundles: Iterable[Bundle], known: store.Known
) -> None:
    """Hang the runs below this one that were brought in before it: a sweep ends after its jobs."""
    for child in bundles:
        if child.parent == bundle.id and child.id in known.runs:
            client.set_tag(known.runs[child.id], "mlflow.parentRunId", run)


def _mark_synced(client: "MlflowClient", run: str, bundle: Bundle) -> None:
    marks = client.get_run(run).data.tags.get("assay.synced", "").split()
    client.set_tag(run, "assay.synced", " ".join([*marks, _mark(bundle)][-_MARKS_KEPT:]))


def _tags(bundle: Bundle) -> dict[str, str]:
    git = bundle.environment.get("git") or {}
    tags = {
        "project": bundle.project,
        "stage": bundle.kind,
        "source": (bundle.data or {}).get("source"),
        "git": git.get("revision"),
        "git.dirty": git.get("dirty"),
        "error": bundle.error,
        "assay.parent": bundle.parent,
        f"assay.bundle.{bundle.kind}": bundle.id,
        "mlflow.source.name": f"pipelines.{bundle.kind}",  # shown in MLflow's columns "Source" and "Version"
        "mlflow.source.git.commit": git.get("revision"),
    }
    return {key: str(value) for key, value in (tags | bundle.tags).items() if value is not None}


def _log_tags(client: "MlflowClient", run: str, tags: dict[str, str]) -> None:
    from mlflow.entities import RunTag

    client.log_batch(run, tags=[RunTag(_key(key), value[:_TAG]) for key, value in tags.items()])


def _log_metrics(client: "MlflowClient", run: str, bundle: Bundle) -> None:
    from mlflow.entities import Metric

    points = dict.fromkeys(
        # MLflow replaces infinities by the largest float, which a chart shows as a number: NaN is the honest
        # choice
        (_key(p.name), p.value if math.isfinite(p.value) else math.nan, _ms(p.time), p.step or 0)
        for p in bundle.points()
    )
    for some in _chunks(points, _METRICS_PER_CALL):
        client.log_batch(run, metrics=[Metric(*point) for point in some])


def _log_data(client: "MlflowClient", run: str, bundle: Bundle) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    data = bundle.data
    if not data or not data.get("content"):
        return
    dataset = Dataset(
        name=f"{data.get('project', bundle.project)}-{data.get('source')}",
        digest=str(data["content"])[:_DIGEST],
        source_type="local",
        source=json.dumps({"uri": f"data/{data.get('project', bundle.project)}"}),
        profile=json.dumps(data.get("counts")),
    )
    client.log_inputs(run, [DatasetInput(dataset, [InputTag("mlflow.data.context", bundle.kind)])])


def _log_files(client: "MlflowClient", run: str, bundle: Bundle, folder: str | None) -> None:
    client.log_artifact(run, str(bundle.folder / "run.json"), folder)
    if bundle.artifacts.is_dir():  # git and some copies drop an empty folder
        client.log_artifacts(run, str(bundle.artifacts), folder)
        _log_pictures(client, run, bundle)


def _log_pictures(client: "MlflowClient", run: str, bundle: Bundle) -> None:
    """Log confusion matrices as images as well, once: those of several runs stand side by side in the chart view."""
    from PIL import Image

    ended = _ms(bundle.ended or bundle.started)
    there: set[str] | None = None
    for path in sorted(bundle.artifacts.rglob("*confusion.png")):
        if there is None:
            there = {Path(one.path).name for one in client.list_artifacts(run, "images")}
        key = path.stem.replace("_", " ")
        mine = f"{key}+step+0+timestamp+{ended}+"  # MLflow's name of it, before a random part
        if not any(name.startswith(mine) and name.endswith(".webp") for name in there):
            with Image.open(path) as picture:
                client.log_image(run, picture, key=key, step=0, timestamp=ended, synchronous=True)


def _key(name: str) -> str:
    """The name with what MLflow refuses replaced: it allows letters, digits and `_-. /`."""
    return re.sub(r"[^\w\-. /]", "_", name).strip("/. ")[:_KEY] or "_"


def _text(value: object, longest: int) -> str:
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:longest]


def _ms(moment: str | float) -> int:
    """Milliseconds since 1970 of an ISO time or of seconds since 1970."""
    return int((datetime.fromisoformat(moment).timestamp() if isinstance(moment, str) else moment) * 1000)


def _chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    source = iter(items)
    while some := list(islice(source, size)):
        yield some
