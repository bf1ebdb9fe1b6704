"""Scaling: a profile bounds what an experiment costs and never changes what it is about."""

from collections.abc import Iterable
from typing import Any


def scale(raw: dict[str, Any], explicit: set[str]) -> dict[str, Any]:
    """Apply the profile's caps and substitutes to a composed configuration.

    A cap is an upper bound of a dotted key of one task; a key the configuration does not have is passed over, null
    counts as "no limit". `model.image_size` is rounded down to the model's patch. Keys in `explicit`, which the
    caller set by hand, stay as they are. What changed is recorded under `profile.scaled`.
    """
    profile = raw["profile"]
    profile["scaled"] = {}
    for key, cap in profile["caps"].get(raw["task"], {}).items():
        parent, name = _parent(raw, key)
        if parent is None or key in explicit:
            continue
        before = parent[name]
        after = cap if before is None or before > cap else before
        if key == "model.image_size" and after != before:
            patch = int(parent.get("patch", 1))
            after = max(patch, int(after) // patch * patch)
        _replace(profile, parent, key, after)
    for key, stand_ins in profile["substitute"].items():
        parent, name = _parent(raw, key)
        if parent is not None and key not in explicit and parent[name] in stand_ins:
            _replace(profile, parent, key, stand_ins[parent[name]])
    return raw


def record(raw: dict[str, Any], before: dict[str, Any], keys: Iterable[str]) -> None:
    """Note under `profile.scaled` what a sweep's request changed: `keys`, with their values before any scaling."""
    for key in keys:
        old, name = _parent(before, key)
        new, _ = _parent(raw, key)
        if old is not None and new is not None and old[name] != new[name]:
            raw["profile"]["scaled"][key] = [old[name], new[name]]


def _replace(profile: dict[str, Any], parent: dict[str, Any], key: str, after: Any) -> None:
    name = key.rpartition(".")[2]
    if parent[name] != after:
        profile["scaled"][key] = [parent[name], after]
        parent[name] = after


def _parent(raw: dict[str, Any], key: str) -> tuple[dict[str, Any] | None, str]:
    *path, name = key.split(".")
    node: Any = raw
    for part in path:
        node = node.get(part) if isinstance(node, dict) else None
    return (node, name) if isinstance(node, dict) and name in node else (None, name)
