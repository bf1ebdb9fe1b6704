"""The models that can inspect, by the name that a person types: a registered version, or the folder of an export."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assay.errors import UserError
from assay.files import read_json
from assay.registry.card import make_card, metric_rows
from assay.registry.catalog import Catalog

Task = Literal["detection", "condition"]
BUILDS = Path("build")
_NAMED: Mapping[str, str] = {"detection": "detector", "condition": "condition classifier"}
_MAKES: Mapping[str, str] = {"detection": "export@infrastructure", "condition": "export@conditions"}
_ENDINGS: Mapping[Task, str] = {"detection": "-detector", "condition": "-conditions"}


@dataclass(frozen=True)
class Choice:
    """A model to choose. name: as `export_of` and `measured` take it; said: in a list."""

    name: str
    said: str


@dataclass(frozen=True)
class Measured:
    """How good a model is. rows: part, name, value, low, high, n; about: on what data, or why there are no rows."""

    rows: list[dict[str, Any]]
    about: str


def choices(
    catalog: Catalog, *, detector: str = "", conditions: str = "", builds: Path = BUILDS
) -> tuple[list[Choice], list[Choice]]:
    """Every detector and every condition classifier: exports in `builds`/*/export, then registered versions.

    Of versions those in production come first, then the newest. A detector is left out where no condition classifier
    knows its classes. detector, conditions: what a person asked for, the first of its list.

    Raises:
        UserError: what was asked for is no such export, there is none at all, or the registry cannot be read.
    """
    judges = _listed("condition", catalog, conditions, builds)
    known = [set(about.get("object_types", ())) for _, about in judges]
    finders = [
        (choice, about)
        for choice, about in _listed("detection", catalog, detector, builds)
        if choice.name == detector or not about or any(set(about["classes"]) <= types for types in known)
    ]
    for task, found in (("detection", finders), ("condition", judges)):
        if not found:
            raise UserError(
                f"{builds}/*/export: no {_NAMED[task]}, and none is registered; `dvc repro {_MAKES[task]}` exports one"
            )
    return [choice for choice, _ in finders], [choice for choice, _ in judges]


def _listed(task: Task, catalog: Catalog, wanted: str, builds: Path) -> list[tuple[Choice, dict[str, Any]]]:
    """The models of one stage, each with what its export says of itself: nothing where it lies on a server."""
    listed = [
        (Choice(str(folder), f"{folder}: {about.get('experiment', 'unnamed')}"), about)
        for folder in sorted(builds.glob("*/export"))
        if (about := _about(folder)).get("task") == task
    ]
    versions = [
        one
        for one in catalog.versions
        if one.name.endswith(_ENDINGS[task]) and (one.export is None or one.export.is_dir())
    ]
    for one in sorted(versions, key=lambda one: "production" not in one.aliases):
        said = " ".join([one.said, *(f"@{alias}" for alias in one.aliases)])
        about = _about(one.export) if one.export else {}
        listed.append((Choice(f"{one.name}/{one.version}", f"{said}: {one.tags.get('experiment')}"), about))
    if not wanted:
        return listed
    first = [one for one in listed if one[0].name == wanted]
    if not first:
        about = _about(export_of(wanted, catalog))
        if about.get("task") != task:
            raise UserError(f"{wanted}: no export of task {task}; {_offer(listed)}")
        first = [(Choice(wanted, wanted), about)]
    return first + [one for one in listed if one[0].name != wanted]


def _offer(listed: Sequence[tuple[Choice, Any]]) -> str:
    return f"there are: {', '.join(choice.name for choice, _ in listed) or 'none'}"


def export_of(wanted: str, catalog: Catalog) -> Path:
    """The folder of the export that "build/infrastructure/export" or "infrastructure-detector@production" names.

    A name that no registered model has is a folder, whether it is there or not. Raises UserError for a version or
    alias that is not there, or whose export was deleted.
    """
    if not _registered(wanted, catalog):
        return Path(wanted)
    return catalog.exported(catalog.find(wanted))


def measured(wanted: str, catalog: Catalog) -> Measured:
    """The metrics of a model: from its card where it is registered, else from the evaluation beside the folder.

    Raises UserError when the registry, or what a run keeps, cannot be read.
    """
    if _registered(wanted, catalog):
        card = make_card(catalog, catalog.find(wanted))
        if not card["metrics"]:
            return Measured([], "its run keeps no evaluation")
        return Measured(card["metrics"], f"{card['data']['source'] or 'unknown'} data, from its card")
    folder = Path(wanted)
    evaluation, about = folder.parent / "evaluation", _about(folder)
    try:
        scores = read_json(evaluation / "metrics.json")
        judged = read_json(evaluation / "predictions.json")
        same = (
            judged["models"]["model"]["experiment"] == about.get("experiment")
            and judged["data"]["content"] == about["source"]["content"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Measured([], f"no evaluation lies beside it, in {evaluation}")
    if not same:
        return Measured([], f"{evaluation} judges another model, or other data")
    return Measured(metric_rows(scores), f"{judged['data'].get('source', 'unknown')} data, from {evaluation}")


def _registered(wanted: str, catalog: Catalog) -> bool:
    """Whether it names a registered model; the store is not read for a folder that is there."""
    if Path(wanted).is_dir():
        return False
    name = wanted.partition("@")[0].partition("/")[0]
    return "@" in wanted or any(name in (one.name, one.tags.get("variant")) for one in catalog.versions)


def _about(folder: Path) -> dict[str, Any]:
    """What an export says of itself; nothing where it can't be read."""
    try:
        found = read_json(folder / "metadata.json")
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
