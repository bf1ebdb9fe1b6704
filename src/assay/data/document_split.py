"""Which documents are held out: whole ones, the same ones each time, every class among them where that can be."""

import csv
import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

from assay.errors import UserError


def hold_out(classes: Mapping[str, Collection[str]], share: float, seed: int) -> set[str]:
    """Choose documents for validation.

    Documents are taken in an order fixed by `seed` and their names, not by a random generator whose stream a new
    document would shift. First come those that bring classes not held out yet, most of them first, as long as another
    document keeps each class for training; then the order alone, until about `share` is held out. At least one is
    where there are two documents or more.

    Args:
        classes: document -> the classes that occur on its pages.
        share: of the documents, 0 to 1.
        seed: another seed, another choice.
    """
    order = in_order(classes, seed)
    wanted = min(max(round(share * len(order)), 1), len(order) - 1)
    if wanted < 1:
        return set()
    owners = {name: {d for d in order if name in classes[d]} for held in classes.values() for name in held}
    missing = {name for name, documents in owners.items() if len(documents) > 1}
    chosen: list[str] = []
    while missing:
        free = [d for d in order if d not in chosen and _spares(d, chosen, owners)]
        best = max(free, key=lambda d: len(missing & set(classes[d])), default=None)  # the first of the best
        if best is None or not missing & set(classes[best]):
            break
        chosen.append(best)
        missing -= set(classes[best])
    for document in order:
        if len(chosen) < wanted and document not in chosen and _spares(document, chosen, owners):
            chosen.append(document)
    return set(chosen)


def hold_out_by_size(sizes: Mapping[str, int], share: float, seed: int) -> set[str]:
    """Choose groups of very different sizes so that about `share` of their members is held out.

    Never more, but for one group, the smallest, where there are two or more and each is larger than that.

    Args:
        sizes: group -> its number of members.
        share: of all members, 0 to 1.
        seed: another seed, another choice.
    """
    room = share * sum(sizes.values())
    chosen: set[str] = set()
    for group in in_order(sizes, seed):
        if sizes[group] <= room:
            chosen.add(group)
            room -= sizes[group]
    if not chosen and len(sizes) > 1:
        chosen.add(min(in_order(sizes, seed), key=lambda group: sizes[group]))
    return chosen


def in_order(names: Collection[str], seed: int) -> list[str]:
    """`names` in an order that depends on the seed and on each name alone."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).hexdigest())


def _spares(document: str, chosen: Collection[str], owners: Mapping[str, set[str]]) -> bool:
    """Whether every class of the document still occurs in one that is not held out."""
    gone = {document, *chosen}
    return all(documents - gone for documents in owners.values() if document in documents)


def read_page_documents(path: Path | None) -> dict[str, str]:
    """Page (file stem) -> document, of a table with these columns; {} without one.

    Raises:
        UserError: the table is missing or has other columns.
    """
    if path is None:
        return {}
    if not path.is_file():
        raise UserError(f"{path}: missing; it says which pages are of one document")
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if not {"page", "document"} <= set(reader.fieldnames or ()):
            raise UserError(f"{path}: no columns page and document")
        return {row["page"]: row["document"] for row in reader}
