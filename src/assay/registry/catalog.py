"""Registered versions and what was kept with the runs that made them, of the local store or of a server.

The local store is read from SQLite and folders, without MLflow, whose import takes two seconds.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import UserError
from assay.registry import store

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    created: seconds since 1970. tags: see `pipelines.recording.version_tags`. export, files: the folders of the
    exported model and of what its run keeps, whether they exist or not; None on a server.
    """

    name: str
    version: int
    created: float
    run_id: str
    aliases: tuple[str, ...]
    tags: dict[str, str]
    export: Path | None = None
    files: Path | None = None

    @property
    def said(self) -> str:
        """What people call it: "cherry-classifier v3"."""
        return f"{self.name} v{self.version}"


class Catalog:
    """Reads versions, numbers and kept files. Make one per command: it remembers what it has read."""

    def __init__(self, mlruns: Path = store.MLRUNS) -> None:
        self.mlruns = mlruns
        self.local = store.server() is None

    @cached_property
    def client(self) -> "MlflowClient":
        """A client of the store; the first use imports MLflow."""
        address = store.connect(self.mlruns)
        from mlflow import MlflowClient

        return MlflowClient(address)

    @cached_property
    def versions(self) -> list[Version]:
        """Every version, newest first. Raises UserError when the store cannot be read."""
        if self.local:
            found = store.model_versions(self.mlruns)
            return [Version(**{**one, "aliases": tuple(one["aliases"])}) for one in found]
        client = self.client
        with store.mistakes_named(self.mlruns, "it"):
            aliases: dict[tuple[str, int], list[str]] = {}
            for model in _pages(client.search_registered_models):
                for alias, number in model.aliases.items():
                    aliases.setdefault((model.name, int(number)), []).append(alias)
            versions = [
                Version(
                    one.name,
                    int(one.version),
                    one.creation_timestamp / 1000,
                    one.run_id,
                    tuple(sorted(aliases.get((one.name, int(one.version)), []))),
                    dict(one.tags),
                )
                for one in _pages(client.search_model_versions)
            ]
        return sorted(versions, key=lambda one: (-one.created, -one.version))

    def find(self, wanted: str) -> Version:
        """The version that "cherry-classifier", "…@production", "…/3" or the tag of document 000's form names.

        A bare name is its newest version. Raises UserError, with what there is, for anything else.
        """
        name, sign, which = re.fullmatch(r"([^@/]*)([@/]?)(.*)", wanted, re.DOTALL).groups()  # type: ignore[union-attr]
        mine = [one for one in self.versions if one.name == name]
        if not sign and not mine:
            mine = [one for one in self.versions if one.tags.get("variant") == name]
        if not mine:
            known = ", ".join(sorted({one.name for one in self.versions})) or "none; `dvc repro` exports some"
            raise UserError(f"{wanted}: no such registered model; there are: {known}")
        if sign == "@":
            mine = [one for one in mine if which in one.aliases]
        elif sign == "/":
            mine = [one for one in mine if str(one.version) == which.removeprefix("v")]
        if not mine:
            offered = self.offered(name)
            raise UserError(f"{wanted}: no such version; there are: {offered}")
        return mine[0]

    def offered(self, name: str) -> str:
        """The versions of a model, as `find` takes them."""
        there = [
            "/".join((name, str(one.version))) + "".join(f" @{alias}" for alias in one.aliases)
            for one in self.versions
            if one.name == name
        ]
        return ", ".join(there[:8]) + (", …" if len(there) > 8 else "")

    def holder(self, name: str, alias: str) -> Version | None:
        """The version that an alias points to."""
        return next((one for one in self.versions if one.name == name and alias in one.aliases), None)

    def numbers(self, version: Version) -> dict[str, float]:
        """The last value of every metric of the version's run, with those of its evaluation and export."""
        if self.local:
            return store.run_numbers(self.mlruns, version.run_id)
        with store.mistakes_named(self.mlruns, "it"):
            return dict(self.client.get_run(version.run_id).data.metrics)

    def kept(self, version: Version, path: str) -> Path | None:
        """The file or folder `path` of what the version's run keeps; None where there is none."""
        if self.local:
            found = (version.files or Path()) / path
            return found if version.run_id and found.exists() else None
        from mlflow.exceptions import MlflowException

        try:
            return Path(self.client.download_artifacts(version.run_id, path))
        except (MlflowException, OSError):
            return None

    def json(self, version: Version, path: str) -> Any:
        """What a JSON file of the version's run says; None where there is none. Raises UserError if it is damaged."""
        found = self.kept(version, path)
        if found is None:
            return None
        try:
            return json.loads(found.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(
                f"{version.said}: its {path} cannot be read ({error}); {_again(version)}"
            ) from None

    def exported(self, version: Version) -> Path:
        """The folder of the exported model. Raises UserError when it was deleted."""
        folder = version.export
        if not self.local:
            from mlflow.exceptions import MlflowException

            try:
                source = f"models:/{version.name}/{version.version}"
                import mlflow

                folder = Path(mlflow.artifacts.download_artifacts(source)) / "artifacts/export"
            except (MlflowException, OSError):
                folder = None
        if folder is None or not (folder / "metadata.json").is_file():
            where = folder or "its artifact on the server"
            raise UserError(f"{version.said}: {where} was deleted; {_again(version)}")
        return folder


def predictions_of(catalog: Catalog, version: Version) -> Path:
    """predictions.parquet of the version's evaluation. Raises UserError where its run has none."""
    folder = catalog.kept(version, "evaluate")
    if folder is None or not (folder / "predictions.parquet").is_file():
        raise UserError(
            f"{version.said}: its run holds no stored predictions; run"
            f" `dvc repro evaluate@{version.tags.get('project', '<project>')}` with its experiment, then"
            " `assay registry sync`"
        )
    return folder / "predictions.parquet"


def _again(version: Version) -> str:
    project = version.tags.get("project", "<project>")
    return f"`dvc repro --force export@{project}` with its experiment and `assay registry sync` make a new version"


def _pages(search: Any) -> Sequence[Any]:
    """Everything a search of MLflow finds, page by page."""
    found: list[Any] = []
    token = None
    while True:
        page = search(max_results=1000, page_token=token)
        found += page
        token = page.token
        if not token:
            return found
