"""Parts of a detector's page: confusions, what grouping makes of its boxes, pages that arrive otherwise, folds."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from assay.evaluation.sections import Section, share


def confusion_section(part: Mapping[str, Any], *, split: str) -> Section:
    """What was taken for what. part: "all" of `detection.score`: classes, and (K + 1, K + 1) counts, truth in rows."""
    classes, counts = part["classes"], part["confusion"]
    rows = [[name, *map(str, found)] for name, found in zip([*classes, "nothing"], counts, strict=True)]
    rows[-1][-1] = ""  # nothing that was taken for nothing can't be counted
    return Section(
        f"What was taken for what, {split}",
        f"{part['n']} images, boxes at the confidences of the configuration, IoU 0.5. Rows: what is there; columns: "
        "what the model said. The last column counts the missed, the last row the false alarms.",
        ("there", *classes, "missed"),
        rows,
    )


def grouping_section(found: Mapping[str, Any]) -> Section:
    """Boxes before and after grouping. found: grouping.json, see `pipelines.detection.scoring.score_grouped`."""
    rule = found["rule"]
    side = f" on a page {rule['page_side']} px long" if rule["page_side"] else ""
    rows = []
    for split, ways in found["splits"].items():
        for way, part in ways.items():
            rates = [share(part[metric]["micro"]) for metric in ("precision", "recall", "f1")]
            rows.append([split, way, str(part["boxes"]), str(sum(part["objects"].values())), *rates])
    return Section(
        "Boxes raw and grouped",
        f"Shown boxes of one class become one where their centres are nearer than {rule['distance']:g} px{side}, they "
        f"overlap by more than {rule['iou']:g}, or more than {rule['containment']:g} of one lies in the other; one with "
        f"more than {rule['drop_contained']:g} of its area in a surer one is dropped before. Rates at IoU 0.5, over all "
        "classes; two marks that really lie on each other become one too, which costs recall.",
        ("split", "boxes", "shown", "annotated", "precision", "recall", "F1"),
        rows,
    )


def robustness_section(
    plain: Mapping[str, Any], found: Mapping[str, tuple[str, Mapping[str, Any]]]
) -> Section:
    """The same model on the same pages as they may also arrive.

    plain: part "all" of `detection.score` on the pages as they are. found: condition -> its words and the same part.
    """
    rows = []
    for words, part in (("as they are", plain), *found.values()):
        rates = [share(part[metric]["micro"]) for metric in ("precision", "recall")]
        rows.append([words, str(part["n"]), share(part["map50"]), share(part["map50_95"]), *rates])
    return Section(
        "Pages that arrive otherwise",
        f"The {plain['split']} pages and their boxes, turned, drawn with fewer dots per inch (their longer side taken "
        "for A4's), or with a third of the ink left; the same model and thresholds, nothing trained again.",
        ("pages", "n", "mAP50", "mAP50-95", "precision", "recall"),
        rows,
    )


def folds_section(found: Sequence[Mapping[str, Any]]) -> Section:
    """Every fold by itself. found: part "all" of `detection.score`, in the folds' order."""
    rows, means = [], []
    for number, part in enumerate(found):
        rates = [share(part[metric]["micro"]) for metric in ("precision", "recall")]
        scores = [share(part[metric]) for metric in ("map50", "map50_95")]
        rows.append([str(number), str(part["n"]), str(part["groups"]), *scores, *rates])
    for metric, name in (("map50", "mAP50"), ("map50_95", "mAP50-95")):
        values = [100 * part[metric]["value"] for part in found]
        means.append(
            f"{name} {statistics.fmean(values):.1f} % (standard deviation {statistics.stdev(values):.1f})"
        )
    return Section(
        "By fold",
        f"Mean over the folds: {', '.join(means)}. The numbers above put the boxes of all {len(found)} models into one "
        "ranking and draw whole groups; a model's epoch was chosen on another fold, never on images it is tested on.",
        ("fold", "images", "groups", "mAP50", "mAP50-95", "precision", "recall"),
        rows,
    )
