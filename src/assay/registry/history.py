"""Who moved which alias, from what to what, and why: promotions/<model>.jsonl, which git keeps.

One JSON object a line: when, who, model, alias, action ("promote" or "rollback"), from, to (None or {version, bundle,
model, tag}), why, evidence. A bundle is the export's record: versions are numbered anew when mlruns/ is rebuilt.
"""

import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay.errors import UserError
from assay.files import atomic_write, without_nan
from assay.registry.catalog import Version

FOLDER = Path("promotions")


def read(model: str, folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Every entry of a model, oldest first. Raises UserError, with the line's number, for a damaged file."""
    path = folder / f"{model}.jsonl"
    entries = []
    for number, line in enumerate(path.read_text("utf-8").splitlines() if path.is_file() else [], 1):
        try:
            entry = json.loads(line)
            entry["alias"], entry["action"], entry["from"], entry["to"]["bundle"]
            datetime.fromisoformat(entry["when"])
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path}:{number}: no entry of a history ({error}); git knows how it was: git checkout {path}"
            ) from None
        entries.append(entry)
    return entries


def append(entry: Mapping[str, Any], folder: Path = FOLDER) -> Path:
    """Add one entry to its model's file; whole or not at all."""
    path = folder / f"{entry['model']}.jsonl"
    before = path.read_text("utf-8") if path.is_file() else ""
    line = json.dumps(without_nan(entry), ensure_ascii=False, sort_keys=True, allow_nan=False)
    with atomic_write(path) as temporary:
        temporary.write_text(f"{before}{line}\n", "utf-8")
    return path


def entry_of(
    action: str,
    alias: str,
    *,
    source: Version | None,
    target: Version,
    who: str,
    why: str,
    evidence: Mapping[str, Any],
) -> dict[str, Any]:
    """An entry of now."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "who": who,
        "model": target.name,
        "alias": alias,
        "action": action,
        "from": named_as(source),
        "to": named_as(target),
        "why": why,
        "evidence": dict(evidence),
    }


def stack(entries: list[dict[str, Any]], alias: str) -> list[dict[str, Any] | None]:
    """Who held the alias, oldest first, the present holder last; None = nobody. A rollback takes its top off.

    Who got it in between without an entry, by an export or in MLflow's pages, is known from the next entry's "from".
    """
    held: list[dict[str, Any] | None] = []
    for entry in entries:
        if entry["alias"] != alias:
            continue
        if not held or _bundle(held[-1]) != _bundle(entry["from"]):
            held.append(entry["from"])
        if entry["action"] == "rollback":
            held.pop()
        if not held or _bundle(held[-1]) != _bundle(entry["to"]):
            held.append(entry["to"])
    return held


def standing(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The last entry of each alias: "to" has it by this history."""
    return {entry["alias"]: entry for entry in entries}


def unfinished(entries: list[dict[str, Any]], alias: str, holder: Version | None) -> dict[str, Any] | None:
    """The alias's last entry where its move was killed, so that `holder` still is who it was to be taken from."""
    last = standing(entries).get(alias)
    return last if last and same(last["from"], holder) and not same(last["to"], holder) else None


def same(named: Mapping[str, Any] | None, version: Version | None) -> bool:
    """Whether an entry's "from" or "to" is this version; both None: nobody."""
    return _bundle(named) == _bundle(named_as(version))


def person(given: str) -> str:
    """Who promotes: as given, else git's user.name. Raises UserError where nobody is named."""
    name = given.strip()
    if not name:
        asked = ["git", "config", "user.name"]
        try:
            name = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        except OSError:
            name = ""
    if not name:
        raise UserError("nobody is named: say --by <who>, or tell git: git config user.name <who>")
    return name


def named_as(version: Version | None) -> dict[str, Any] | None:
    """A version as an entry's "from" or "to"."""
    if version is None:
        return None
    return {
        "version": version.version,
        "bundle": version.tags.get("assay.bundle"),
        "model": version.tags.get("model"),
        "tag": version.tags.get("variant"),
    }


def _bundle(named: Mapping[str, Any] | None) -> Any:
    """What tells versions apart, "" for nobody."""
    return "" if named is None else named["bundle"]
