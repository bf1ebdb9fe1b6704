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
from assay.files import atomic_write
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
    with atomic_write(path) as temporary:
        temporary.write_text(before + json.dumps(entry, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
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
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": who,
        "model": target.name,
        "alias": alias,
        "action": action,
        "from": _named(source),
        "to": _named(target),
        "why": why,
        "evidence": dict(evidence),
    }


def stack(entries: list[dict[str, Any]], alias: str) -> list[dict[str, Any] | None]:
    """Who held the alias, oldest first, the present holder last; None = nobody. A rollback takes its top off."""
    held: list[dict[str, Any] | None] = []
    for entry in entries:
        if entry["alias"] != alias:
            continue
        back = entry["action"] == "rollback"
        held = held[:-1] if back else [*(held or [entry["from"]]), entry["to"]]
    return held


def standing(entries: list[dict[str, Any]]) -> dict[str, str]:
    """The bundle that each alias points to by this history."""
    tops = {alias: stack(entries, alias) for alias in {entry["alias"] for entry in entries}}
    return {alias: held[-1]["bundle"] for alias, held in tops.items() if held and held[-1]}


def same(named: Mapping[str, Any] | None, version: Version | None) -> bool:
    """Whether an entry's "from" or "to" is this version; both None: nobody."""
    if named is None or version is None:
        return named is version
    return bool(named["bundle"] == version.tags.get("assay.bundle"))


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


def _named(version: Version | None) -> dict[str, Any] | None:
    if version is None:
        return None
    return {
        "version": version.version,
        "bundle": version.tags.get("assay.bundle"),
        "model": version.tags.get("model"),
        "tag": version.tags.get("variant"),
    }
