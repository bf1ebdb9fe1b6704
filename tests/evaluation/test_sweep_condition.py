"""What a sweep of condition classifiers says, from rows made by hand."""

from assay.evaluation.sweep import forest_of, sections_of


def row(name, seed=0, **changes):
    return {
        **{"job": f"{name} seed {seed}", "variant": name, "task": "condition", "status": "ok"},
        **{"weights": "package", "backbone": "lite0", "split": "test", "n": 128, "majority_share": 86 / 128},
        **{"accuracy": 0.8, "low": 0.72, "high": 0.86, "without_leaks": 0.79, "type_alone": 0.664},
        **{"balanced_accuracy": 0.75, "balanced_accuracy_low": 0.7, "balanced_accuracy_high": 0.8},
        **changes,
    }


def test_accuracy_stands_beside_what_takes_no_picture():
    section = sections_of([row("binary"), row("three", own_classes=0.61)], [], [])[0]
    first, second = (dict(zip(section.header, line, strict=True)) for line in section.rows)
    assert first["accuracy"] == "80.0 % (72.0 to 86.0)" and first["object's type alone"] == "66.4 %"
    assert (first["own classes"], second["own classes"]) == ("", "61.0 %")


def test_an_accuracy_that_is_the_majoritys_share_is_called_so():
    section = sections_of([row("binary", accuracy=86 / 128)], [], [])[0]
    assert section.rows[0][1] == "accuracy: the share of the majority class (86 of 128)"


def test_pairs_and_seeds_speak_of_no_choice_of_the_epoch():
    pair = {"candidate": "a seed 1", "reference": "b seed 1", "candidate_only": 3, "reference_only": 9}
    pair |= {"accuracy_difference": {"value": -0.05, "low": -0.1, "high": 0.0}, "p_holm": 0.2, "verdict": "-"}
    over = {"first": "a", "second": "b", "seeds": [2, 2], "sd_images": 0.02, "sd_seeds": 0.01, "p_holm": 0.5}
    over |= {"difference": pair["accuracy_difference"], "verdict": "-", "one_seed": False}
    rows = [row(name, seed) for name in "ab" for seed in (1, 2)]
    sections = sections_of(rows, [pair], [over])
    assert len(sections) == 4 and not any("clean" in section.note for section in sections)
    label, lines = forest_of(rows)
    assert label == "accuracy on the test instances" and len(lines) == 4
