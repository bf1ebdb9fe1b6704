"""Model versions: an export folder becomes a model that `mlflow.pyfunc.load_model` serves."""

import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import UserError
from assay.files import read_json
from assay.registry import history
from assay.tracking import Bundle

if TYPE_CHECKING:
    from mlflow import MlflowClient

# The file that serves an export, by the task its metadata.json names; classifiers' names none.
_EXPORT = Path(__file__).parents[1] / "export"
SERVED_BY = {
    "classification": _EXPORT / "pyfunc.py",
    "detection": _EXPORT / "pyfunc_detection.py",
    "condition": _EXPORT / "pyfunc_condition.py",
}

# What serving an export takes, at the versions it was verified with.
_REQUIREMENTS = ("numpy", "pillow", "onnxruntime")


def register(
    client: "MlflowClient",
    bundle: Bundle,
    wish: Mapping[str, Any],
    *,
    run: str,
    experiment: str,
    pyfunc: Path | None,
) -> list[str]:
    """Register the export that `bundle` asks for, once, and move its aliases there, and those its history gives it.

    `wish` is {name, files, tags, aliases} of model.json. Returns ["<name> <version>"], or [] when the version
    was there already. Raises UserError when the export is missing.
    """
    from mlflow.exceptions import MlflowException

    name, files = wish["name"], Path(wish["files"])
    if not files.is_dir():
        raise UserError(
            f"{bundle.folder}: its model's files {files} are missing;"
            f" run `dvc repro export@{bundle.project}`, then `assay registry sync`"
        )
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    found = _versions(client, name, bundle.id)
    if found:
        version = found[0]
    else:
        model = _logged_model(client, bundle, name, files, run=run, experiment=experiment, pyfunc=pyfunc)
        tags = {"assay.bundle": bundle.id, "project": bundle.project, **wish["tags"]}
        version = client.create_model_version(name, f"models:/{model}", run, model_id=model, tags=tags)
    standing = history.standing(history.read(name))  # a rebuilt store gets its promotions back
    kept = [alias for alias, entry in standing.items() if entry["to"]["bundle"] == bundle.id]
    wished = [
        alias for alias in wish["aliases"] if not _given_since(client, bundle, name, standing.get(alias))
    ]
    for alias in dict.fromkeys([*wished, *kept]):
        client.set_registered_model_alias(name, alias, version.version)
    return [] if found else [f"{name} {version.version}"]


def _versions(client: "MlflowClient", name: str, bundle_id: str) -> list[Any]:
    return list(client.search_model_versions(f"name = '{name}' and tags.`assay.bundle` = '{bundle_id}'"))


def _given_since(client: "MlflowClient", bundle: Bundle, name: str, entry: Mapping[str, Any] | None) -> bool:
    """Whether a person gave the alias to a version that is there after this bundle was exported."""
    if entry is None or not bundle.ended:
        return False
    when, exported = (datetime.fromisoformat(one).astimezone(UTC) for one in (entry["when"], bundle.ended))
    return when > exported and bool(_versions(client, name, entry["to"]["bundle"]))


def _logged_model(
    client: "MlflowClient",
    bundle: Bundle,
    name: str,
    files: Path,
    *,
    run: str,
    experiment: str,
    pyfunc: Path | None,
) -> str:
    """Id of the model logged for this bundle; one that a kill left half-made is replaced."""
    import mlflow
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    for model in client.search_logged_models([experiment], f"tags.`assay.bundle` = '{bundle.id}'"):
        if model.status == LoggedModelStatus.READY:
            return str(model.model_id)
        client.delete_logged_model(model.model_id)
    tags = {"assay.bundle": bundle.id}
    model = client.create_logged_model(experiment, name, source_run_id=run, tags=tags, model_type="pyfunc")
    with warnings.catch_warnings(record=True):  # MLflow's advice to authors, past any filter: it sets its own
        mlflow.pyfunc.log_model(
            name=name,
            model_id=model.model_id,
            python_model=str(pyfunc or SERVED_BY[_task(files)]),
            artifacts={"export": str(files)},
            pip_requirements=[f"{package}=={metadata.version(package)}" for package in _REQUIREMENTS],
        )
    client.log_outputs(run, [LoggedModelOutput(model.model_id, step=0)])
    return str(model.model_id)


def _task(export: Path) -> str:
    path = export / "metadata.json"
    return str(read_json(path).get("task", "classification")) if path.is_file() else "classification"
