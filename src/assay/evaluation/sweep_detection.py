"""What a sweep of detectors says: `sweep.sections_of` for rows of that task."""

from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import Any

from assay.evaluation import detection_comparison, matched_recall, sweep
from assay.evaluation.sections import Section, number, points, share
from assay.evaluation.sweep import Row

JOBS = ("job", "status", "mAP50", "without leaks", "mAP50-95", "mAP50 on test", "published mAP50")
LEARNT = ("job", "weights from", "training images", "reviewed negatives", "epoch kept")
RATES = ("job", "precision", "recall", "false positives per image", "on test: precision", "recall",
         "false positives per image")  # fmt: skip
PAIRS = ("candidate", "reference", "mAP50", "mAP50-95", "p", "verdict")
SHOWN = ("candidate", "reference", "recall", "false positives per image",
         "false positives at the reference's recall", "p")  # fmt: skip
SEEDS = {"map50": "mAP50", "without_leaks_map50": "without leaks", "map50_95": "mAP50-95"}


def sections_of(
    rows: Sequence[Row], pairs: Sequence[Mapping[str, Any]], experiments: Sequence[Mapping[str, Any]]
) -> list[Section]:
    """Everything the sweep has to say, in the order of its page; one table of comparisons per split."""
    splits = list(dict.fromkeys(pair["split"] for pair in [*experiments, *pairs]))
    several = [
        sweep.experiments_section(
            found,
            rows,
            title=f"Every pair of experiments on the {split} images, over their seeds",
            of="mAP50s" if found[0]["main"] == "map50" else "mAP50-95s",
            counted=" whatever the number of trainings",
        )
        for split in splits
        if (found := [pair for pair in experiments if pair["split"] == split])
    ]
    compared = [
        section(found, rows)
        for split in splits
        if (found := [pair for pair in pairs if pair["split"] == split])
        for section in (pairs_section, shown_section)
    ]
    return sweep.with_rows(
        jobs_section(rows),
        sweep.failures_section(rows),
        learnt_section(rows),
        rates_section(rows),
        sweep.seeds_section(rows, SEEDS),
        *several,
        *compared,
    )


def jobs_section(rows: Sequence[Row]) -> Section:
    """One line per job: its mean average precision."""

    def cells(row: Row) -> list[str]:
        names = ("map50", "without_leaks_map50", "map50_95", *(["test_map50"] if "test_n" in row else []))
        found = [share(_interval(row, name)) for name in names]
        return [*found, *[""] * (4 - len(found)), sweep.published_text(row)]

    split = next((row["split"] for row in rows if "split" in row), "val")
    return Section(
        "Every job",
        f"On the {split} images unless said otherwise, AP by COCO's protocol, with 95 % intervals of a bootstrap that "
        "draws whole groups (flight, document, clip). The kept epoch is the best on the val images, as the sources chose "
        "it: numbers on them flatter, those on test do not. Without leaks: without the images that equal a training "
        "image.",
        JOBS,
        sweep.job_lines(rows, JOBS, cells),
    )


def learnt_section(rows: Sequence[Row]) -> Section:
    """One line per job that ended well: what it learnt from."""
    shown = [
        [
            sweep.named(row),
            row["weights"] if row["weights"] == row["weights_root"] else _whose(row),
            f"{row['train_images']:.0f}",
            f"{row['hard_negatives']:.0f}",
            f"{row['epoch']:.0f} of {row['epochs_run']:.0f}",
        ]
        for row in rows
        if row["status"] == "ok"
    ]
    return Section("What each job learnt from", header=LEARNT, rows=shown)


def rates_section(rows: Sequence[Row]) -> Section:
    """One line per job that ended well: what a person who looks at the shown boxes meets."""
    rates = ("precision", "recall", "false_positives")
    shown = []
    for row in (row for row in rows if row["status"] == "ok"):
        cells = [sweep.named(row)]
        for prefix in ("", "test_"):
            there = not prefix or "test_n" in row
            told = [share, share, number]
            cells += [
                tell(_interval(row, prefix + rate)) if there else ""
                for rate, tell in zip(rates, told, strict=True)
            ]
        shown.append(cells)
    return Section(
        "Boxes above the configured confidence",
        "Precision and recall over the boxes of all classes (IoU 0.5), and wrong boxes per image. The confidences are "
        "each experiment's own, so jobs stand at different recalls; the comparisons below also take the same one.",
        RATES,
        shown,
    )


def pairs_section(pairs: Sequence[Mapping[str, Any]], rows: Sequence[Row]) -> Section:
    """Every pair of detectors by mAP. pairs: `detection_comparison.compare_all` of one split."""
    names, first = sweep.names_of(rows), pairs[0]
    main = "mAP50" if first["main"] == "map50" else "mAP50-95"
    return Section(
        f"Every pair of detectors, on the same {first['n']} {first['split']} images",
        "Differences, candidate minus reference, with a paired bootstrap interval that draws whole groups "
        f"({first['groups']} here). {_sentence(detection_comparison.HOW_P)}. It is of {main} and adjusted for the number "
        "of pairs (Holm). A verdict is of these two trained networks.",
        PAIRS,
        [
            [
                names[pair["candidate"]],
                names[pair["reference"]],
                points(pair["map50_difference"]),
                points(pair["map50_95_difference"]),
                f"{pair['p_holm']:.2g}",
                pair["verdict"],
            ]
            for pair in pairs
        ],
    )


def shown_section(pairs: Sequence[Mapping[str, Any]], rows: Sequence[Row]) -> Section:
    """Every pair of detectors by what is shown, also at one recall. pairs: as in `pairs_section`."""
    names = sweep.names_of(rows)
    shown = []
    for pair in pairs:
        matched = pair["matched_recall"]
        shown.append(
            [
                names[pair["candidate"]],
                names[pair["reference"]],
                points(pair["recall_difference"]["micro"]),
                _signed(pair["false_positives_difference"]["all"]),
                _signed(matched["false_positives_difference"]) if matched["reached"] else "not reached",
                f"{matched['p']:.2g}" if matched["reached"] else "",
            ]
        )
    return Section(
        f"What every pair shows on the {pairs[0]['split']} images",
        "Differences, candidate minus reference: of the recall, and of the wrong boxes per image, both at each one's own "
        f"confidences. At the reference's recall: {matched_recall.HOW}; its p is not adjusted for the number of pairs.",
        SHOWN,
        shown,
    )


def _interval(row: Row, name: str) -> dict[str, float]:
    """Three cells of a row; an empty one is NaN, where nothing could be scored."""
    return {
        end: row.get(f"{name}{cell}", nan)
        for end, cell in (("value", ""), ("low", "_low"), ("high", "_high"))
    }


def _whose(row: Row) -> str:
    """Whose model the job went on from, and where that one started."""
    return f"{row['weights_detail'].partition(' ')[0]}, first {row['weights_root']}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _signed(found: Mapping[str, float]) -> str:
    if isnan(found["value"]):
        return "undefined"
    value = f"{found['value']:+.2f}"
    if isnan(found["low"]) or isnan(found["high"]):
        return f"{value} (no interval)"
    return f"{value} ({found['low']:+.2f} to {found['high']:+.2f})"
