"""What each way to split the inspection's photos gives: images, groups and boxes by split, and how much leaks.

    python -m benchmarks.splits [--profile cpu]

Reads data/infrastructure; trains nothing. A held-out photo leaks where its group (flight or berm by its name, photos
that look alike where names tell none, copies and near-copies) has photos in train. "published" is as its authors have
it; the other two keep groups whole, so that nothing leaks by this measure.

Writes results/infrastructure/splits-<source>.csv.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from assay.config import compose
from assay.data.infrastructure import read
from assay.data.items import Item
from assay.data.source import current_source
from assay.data.splitting import resplit, with_groups
from assay.environment import describe
from benchmarks.hardware import MADE_ON, made_on, write_table

HELD_OUT = ("val", "test")


def rows_of(
    name: str, items: Iterable[Item], classes: Sequence[str], scored: str | None
) -> list[dict[str, Any]]:
    """One row per split; of held-out photos those of the scored subset count, of training photos all."""
    items = [item for item in items if item.split not in HELD_OUT or scored in (None, item.subset)]
    trained = {item.group for item in items if item.split == "train"}
    rows = []
    for split in ("train", *HELD_OUT):
        part = [item for item in items if item.split == split]
        boxes = Counter(box.label for item in part for box in item.boxes if not box.ignore)
        leaking = sum(item.group in trained for item in part) if split in HELD_OUT else 0
        rows.append(
            {"way": name, "split": split, "images": len(part), "groups": len({item.group for item in part})}
            | {"leaking": leaking, "leaking_share": round(leaking / max(len(part), 1), 4)}
            | {label: boxes[label] for label in classes}
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> Path:
    """Split, print and store; returns the table."""
    parser = argparse.ArgumentParser("python -m benchmarks.splits", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--profile", default="cpu")
    cfg: Any = compose(["project=infrastructure", f"profile={parser.parse_args(arguments).profile}"])
    how, again = cfg.prepare, cfg.prepare.regroup
    data = Path(cfg.data)
    entries = with_groups(
        read(data, class_map=how.class_map, ignore=how.ignore, max_side=how.max_side),
        near_duplicate_distance=how.near_duplicate_distance,
        look_distance=again.look_distance,
    )
    settings = again.model_dump(include={"test_share", "minimum", "folds"})
    settings |= {
        "validation_share": how.validation_share,
        "seed": how.split_seed,
        "classes": cfg.project.classes,
    }
    ways: list[tuple[str, Any, int]] = [("published", "published", 0), ("grouped", "grouped", 0)]
    ways += [(f"kfold {fold} of {again.folds}", "kfold", fold) for fold in range(again.folds)]
    rows: list[dict[str, Any]] = []
    for name, split, fold in ways:
        found = resplit(entries, split, fold=fold, **settings)
        items = [entry for entry in found if isinstance(entry, Item)]
        rows += rows_of(name, items, cfg.project.classes, how.scored_subset)
        for row in rows[-3:]:
            print(" ".join(f"{key}={value}" for key, value in row.items()))
    source = current_source(data, project=data.name)["source"].split()[0]
    machine = made_on(describe(), ())
    target = Path(f"results/infrastructure/splits-{source}.csv")
    write_table(target, [row | machine for row in rows], [*rows[0], *MADE_ON])
    print(target)
    return target


if __name__ == "__main__":
    main()
