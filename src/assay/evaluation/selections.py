"""Two choices of the epoch from one training, on all images and without leaks: what each choice adds to a number."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from assay.evaluation.classification import decide
from assay.evaluation.comparison import compare
from assay.evaluation.intervals import bootstrap
from assay.evaluation.metrics import weighted_share
from assay.evaluation.predictions import Predictions
from assay.evaluation.sections import Section, number, points, share

PARTS = ("all", "without_leaks")


def differences(
    predictions: Predictions,
    clean: str,
    as_published: str,
    classes: Sequence[str],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """What the choice of the epoch, and what the leaked images, add to the accuracy.

    clean, as_published: the names of the two stored models; `predictions.models` gives each its hash and epoch.

    Returns same_weights (both choices fell on one epoch), epochs, clean_minus_as_published (`comparison.compare`:
    paired intervals and McNemar) and all_minus_without_leaks by selection (bootstrap by group, both accuracies from the
    same draws).
    """
    named = {"clean": clean, "as_published": as_published}
    about = {selection: predictions.models[name] for selection, name in named.items()}
    leaks: dict[str, Any] = {}
    for selection, name in named.items():
        rows = predictions.of(name)
        correct, kept = decide(rows, classes).correct, ~rows["leak"].to_numpy(bool)

        def leaked(
            weights: np.ndarray, correct: np.ndarray = correct, kept: np.ndarray = kept
        ) -> dict[str, np.ndarray]:
            without = weighted_share(weights * kept, correct)
            return {"accuracy": weighted_share(weights, correct) - without}

        found = bootstrap(leaked, rows["group"].to_numpy(str), draws=draws, seed=seed)
        leaks[selection] = found["accuracy"].as_dict()
    return {
        "same_weights": about["clean"]["hash"] == about["as_published"]["hash"],
        "epochs": {selection: facts["epoch"] for selection, facts in about.items()},
        "clean_minus_as_published": compare(
            predictions, clean, as_published, classes, draws=draws, seed=seed
        ),
        "all_minus_without_leaks": leaks,
    }


def selection_section(scores: Mapping[str, Any]) -> Section:
    """The table of both choices. scores: as `score`, with as_published (the same) and differences."""
    found = scores["differences"]
    epochs, pairs = found["epochs"], found["clean_minus_as_published"]
    rows = []
    for part in PARTS:
        pair, both = pairs[part], (scores[part], scores["as_published"][part])
        chance = "same weights" if found["same_weights"] else f"{pair['p']:.2g}"
        rows.append(
            [f"{part.replace('_', ' ')}, n = {scores[part]['n']}"]
            + [share(one["accuracy"]) + _collapse(one) for one in both]
            + [points(pair["accuracy_difference"]), chance]
        )
    leaks = found["all_minus_without_leaks"]
    rows.append(["all minus without leaks", points(leaks["clean"]), points(leaks["as_published"]), "", ""])
    return Section(
        "Two choices of the epoch",
        "Clean: the epoch that is best on training images kept back for that choice; everything else on this page is "
        "about it, unless it says otherwise. As published: the epoch that is best on the very images reported here, as "
        "the source chose it. Leaks: images that equal a training image. Differences are paired, with 95 % intervals "
        "from a bootstrap that keeps near-duplicates together; p is McNemar's.",
        [
            "accuracy",
            f"clean (epoch {epochs['clean']})",
            f"as published (epoch {epochs['as_published']})",
            "clean minus as published",
            "p",
        ],
        rows,
    )


def calibration_section(
    calibration: Mapping[str, Any], temperature: Mapping[str, Any] | None = None
) -> Section:
    """The table of ece, log loss and Brier score, before and after the temperature where one was fitted."""
    ece, scaled = calibration["ece"], calibration.get("scaled")
    note = (
        "Expected calibration error (ECE) in 15 bins; probabilities that are right would show "
        f"{ece['if_calibrated']:.3f} on so many images, and reach the measured in {100 * ece['p']:.0f} % of draws. "
        "A plain bootstrap is biased upwards for ECE: its interval here is the basic bootstrap's, from 0 where the "
        "images do not exclude calibration. "
    )
    if temperature is not None:
        low, high = (temperature["interval"][end] for end in ("low", "high"))
        how = f"{temperature['n']} images kept back from training to choose the epoch ({temperature['groups']} groups)"
        note += f"The temperature is fitted on the {how}, never on the images reported here: "
        note += (
            f"they do not decide it ({temperature['undecided']}), so it stays 1."
            if temperature["undecided"]
            else f"{temperature['temperature']:.2f} ({low:.2f} to {high:.2f})."
        )
    header, rows = ["", "as trained"], []
    if scaled:
        header += ["after the temperature", "change"]
    for name, said in (("ece", "ECE"), ("log_loss", "log loss, nats"), ("brier", "Brier score")):
        row = [said, number(calibration[name])]
        if scaled:
            change = calibration["change"][name]
            row += [
                number(scaled[name]),
                f"{change['value']:+.3f} ({change['low']:+.3f} to {change['high']:+.3f})",
            ]
        rows.append(row)
    return Section("Calibration", note, header, rows)


def _collapse(part: Mapping[str, Any]) -> str:
    return f", COLLAPSED: always {part['collapsed']}" if part["collapsed"] else ""
