"""Moving an alias from one version to another, on evidence, and back."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import UserError
from assay.registry import history, store
from assay.registry.aliases import GUIDE
from assay.registry.card import write_cards
from assay.registry.catalog import Catalog, Version
from assay.registry.evidence import POINTS, compare_sides, side_of, verified

if TYPE_CHECKING:
    from mlflow import MlflowClient

_WAIT_SECONDS = 30.0  # for a sync or another promotion to end
POOLED = ("micro", "macro")


@dataclass(frozen=True)
class Guards:
    """What a promotion to production must keep. max_recall_drop: share of recall that may be lost, 0-1."""

    metric: str = ""
    max_recall_drop: float = 0.02
    draws: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Proposal:
    """A promotion that was looked at. problems: why it is refused; empty where it may be done."""

    alias: str
    target: Version
    holder: Version | None
    evidence: dict[str, Any]
    problems: list[str]
    lines: list[str]


def propose(catalog: Catalog, target: Version, alias: str, guards: Guards) -> Proposal:
    """Look at everything that speaks for or against `target` under `alias`; nothing is moved.

    production: compared on the same frozen test set with the version in production, and while there is none with the
    baseline that its own evaluation stored. fastest: by the measured latency. The other aliases are a person's choice.
    All need a verified export.

    Raises:
        UserError: an unknown alias, the version has it already, an artifact or predictions are gone or of other data,
            the test sets differ.
    """
    if alias not in GUIDE:
        raise UserError(f"--to {alias}: no such alias; there are: {', '.join(GUIDE)}")
    holder = catalog.holder(target.name, alias)
    if holder == target:
        raise UserError(f"{target.said} is {alias} already")
    why_not = verified(catalog.exported(target))
    problems = [f"its export is not verified: {why_not}"] if why_not else []
    evidence: dict[str, Any] = {}
    lines: list[str] = []
    if alias == "production":
        candidate = side_of(catalog, target)
        reference = side_of(catalog, holder) if holder else side_of(catalog, target, "baseline")
        evidence = compare_sides(
            candidate, reference, metric=guards.metric, draws=guards.draws, seed=guards.seed
        ) | {"max_recall_drop": guards.max_recall_drop}
        lines = said(evidence)
        problems += _not_better(evidence) + _recall_lost(evidence, guards.max_recall_drop)
    elif alias == "fastest":
        evidence, found = _faster(catalog, target, holder)
        problems += found
        lines = _speeds(evidence)
    return Proposal(alias, target, holder, evidence, problems, lines)


def promote(
    catalog: Catalog, proposal: Proposal, *, who: str, why: str, folder: Path = history.FOLDER
) -> Path:
    """Move the alias and write the move down; returns the history's file.

    The history is written first: a kill between the two leaves an entry that the same command completes.

    Raises:
        UserError: the proposal has problems, the alias has moved meanwhile, or the store cannot be used.
    """
    target, alias = proposal.target, proposal.alias
    if proposal.problems:
        raise UserError(f"{target.said} is not promoted to {alias}: {'; '.join(proposal.problems)}")
    with _alone(catalog) as client:
        holder = Catalog(catalog.mlruns).holder(target.name, alias)
        if (holder and holder.version) != (proposal.holder and proposal.holder.version):
            raise UserError(
                f"{alias} of {target.name} has moved meanwhile: {holder.said if holder else 'nobody'} has it; look again"
            )
        entries = history.read(target.name, folder)
        killed = history.unfinished(entries, alias, holder)
        if not killed or not history.same(killed["to"], target):
            entry = history.entry_of(
                "promote", alias, source=holder, target=target, who=who, why=why, evidence=proposal.evidence
            )
            history.append(entry, folder)
        _move(catalog, client, target, alias, holder)
    return folder / f"{target.name}.jsonl"


def rollback(
    catalog: Catalog, name: str, alias: str, *, who: str, why: str, folder: Path = history.FOLDER
) -> Version:
    """Give the alias back to who held it before its last move, and write that down; returns the version.

    Raises:
        UserError: nobody held it before, or that version or its artifact is gone.
    """
    with _alone(catalog) as client:
        entries = history.read(name, folder)
        held, holder = history.stack(entries, alias), catalog.holder(name, alias)
        killed = history.unfinished(entries, alias, holder)
        unfinished = killed is not None and killed["action"] == "rollback"
        if not killed and not (held and history.same(held[-1], holder)):
            held.append(history.named_as(holder))  # it got the alias without an entry
        back = held[-1:] if unfinished else held[-2:-1]
        if not back or back[0] is None:
            raise UserError(f"{name}: nobody was {alias} before, so there is nothing to go back to")
        there = [one for one in catalog.versions if one.name == name and history.same(back[0], one)]
        if not there:
            was = f"v{back[0]['version']} ({back[0]['tag']})"
            raise UserError(f"{name}: {was}, which was {alias} before, is no longer in the registry")
        target = there[0]
        catalog.exported(target)
        if not unfinished:
            entry = history.entry_of(
                "rollback", alias, source=holder, target=target, who=who, why=why, evidence={}
            )
            history.append(entry, folder)
        _move(catalog, client, target, alias, holder)
    return target


def said(evidence: Mapping[str, Any]) -> list[str]:
    """A comparison in words, a line each."""
    lines = [
        f"against {evidence['reference']}, {evidence['n']} images in {evidence['groups']} groups"
        f" ({evidence['split']}, {evidence['source']} data, test set {evidence['test_set'][:12]})",
        _gain(evidence),
    ]
    if wrong := evidence.get("false_positives"):
        lines.append(f"false positives an image, each at its own thresholds: {_difference(wrong, '')}")
    for name, difference in evidence["recall"].items():
        if isfinite(difference["value"]):
            lines.append(f"recall of {name}: {_difference(difference, 'accuracy')}")
    if len(set(evidence["content"])) > 1:
        lines.append("the data differ, but not in the images and labels of the test set")
    return lines


def _not_better(evidence: Mapping[str, Any]) -> list[str]:
    if evidence["verdict"] == "better beyond noise":
        return []
    return [f"its gain over {evidence['reference']} is within noise or a loss ({_gain(evidence)})"]


def _recall_lost(evidence: Mapping[str, Any], guard: float) -> list[str]:
    """Recalls that fall by more than the guard; of one class of boxes, often of few objects, beyond noise only."""
    boxes = any(name in evidence["recall"] for name in POOLED)
    lost = [
        f"recall of {name} {_difference(found, 'accuracy')}"
        for name, found in evidence["recall"].items()
        if found["value"] < -guard and (not boxes or name in POOLED or found["high"] < 0)
    ]
    return [f"{', '.join(lost)}: a drop of {100 * guard:g} points is allowed"] if lost else []


def _faster(catalog: Catalog, target: Version, holder: Version | None) -> tuple[dict[str, Any], list[str]]:
    mine = _speed(catalog, target)
    if mine is None:
        return {}, [f"{target.said} has no measured latency"]
    theirs = _speed(catalog, holder) if holder else None
    evidence = {"latency_ms": mine[0], "runtime": mine[1], "hardware": mine[2]}
    if holder is None or theirs is None:
        return evidence, []
    evidence |= {"reference": holder.said, "reference_latency_ms": theirs[0]}
    if theirs[2] != mine[2]:
        return evidence, [f"measured on {mine[2]}, {holder.said} on {theirs[2]}: not comparable"]
    if mine[0] >= theirs[0]:
        return evidence, [f"{mine[0]:.2f} ms an image is not faster than {theirs[0]:.2f} ms of {holder.said}"]
    return evidence, []


def _speeds(evidence: Mapping[str, Any]) -> list[str]:
    if not evidence:
        return []
    line = f"{evidence['latency_ms']:.2f} ms an image in {evidence['runtime']} on {evidence['hardware']}"
    if "reference" in evidence:
        line += f", against {evidence['reference_latency_ms']:.2f} ms of {evidence['reference']}"
    return [line]


def _speed(catalog: Catalog, version: Version) -> tuple[float, str, str] | None:
    """Median milliseconds of one prediction in the fastest runtime, that runtime, and the hardware."""
    from assay.registry.card import make_card

    card = make_card(catalog, version)
    if not card["speed"]:
        return None
    runtime, value = min(card["speed"].items(), key=lambda one: one[1])
    return value, runtime, card["speed_on"]


@contextmanager
def _alone(catalog: Catalog) -> Iterator["MlflowClient"]:
    """A client of the store, which nobody else changes meanwhile; that it can be written is found out at once."""
    store.connect(catalog.mlruns)
    with (
        store.mistakes_named(catalog.mlruns, "the same command"),
        store.exclusive(catalog.mlruns, _WAIT_SECONDS),
    ):
        yield store.open_local(catalog.mlruns) if catalog.local else catalog.client


def _move(
    catalog: Catalog, client: "MlflowClient", target: Version, alias: str, holder: Version | None
) -> None:
    client.set_registered_model_alias(target.name, alias, str(target.version))
    for run in {one.run_id for one in (target, holder) if one}:
        write_cards(client, run, catalog.mlruns if catalog.local else None)  # they say which alias is whose


def _gain(evidence: Mapping[str, Any]) -> str:
    """The gain and its verdict, which stands alone where a recall that is not reached leaves no gain."""
    metric, gain = evidence["metric"], evidence["gain"]
    name = "false positives an image at equal recall" if metric == "false_positives" else metric
    number = [_difference(gain, metric)] if isfinite(gain["value"]) else []
    return ": ".join([name, *number, evidence["verdict"]])


def _difference(found: Mapping[str, float], metric: str) -> str:
    scale, unit = (100, " points") if metric in POINTS else (1, "")
    value = f"{scale * found['value']:+.2f}{unit}"
    if not (isfinite(found["low"]) and isfinite(found["high"])):
        return f"{value} (no interval)"
    return f"{value} ({scale * found['low']:+.2f} to {scale * found['high']:+.2f})"
