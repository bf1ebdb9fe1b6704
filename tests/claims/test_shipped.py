"""The claims that are shipped: every doubt of the ledger is found, by a rule, and each claim is read as it is written."""

from pathlib import Path

import pytest

from assay.claims.book import load
from assay.claims.check import check, findings
from assay.claims.result import FINDINGS

# number in the ledger -> (rule, what it must be about: a statement, a claim, or a set of images; part of the arithmetic)
LEDGER = {
    1: [("one class", "004/exp_002b.accuracy", "660/1226 = 53.83 %: exactly the share of cherry_clean")],
    2: [("at_least", "004/target_achieved", "94.21% against a target of ≥94.5%: -0.29 points")],
    3: [
        ("better", "004/new_best", "1155 and 1153 of 1226 right; 95 % intervals 92.8 to 95.4, 92.6 to 95.2"),
        ("better", "004/new_best", "McNemar's exact p is 0.5 to 0.93"),
    ],
    4: [
        ("selection", "004/val", "choose the epoch that is kept, and are what is reported"),
        ("overlap", "004/val", "16 of the 1226 validation images are training images"),
    ],
    5: [
        ("similar", "004/similar_count", "28,635,496 / 9,109,994 = 3.14"),
        ("same_unit", "004/size_increase", "written 90MB: MiB"),
        ("same_unit", "004/size_increase", "written 111 MB: MB"),
    ],
    6: [
        ("better", "004/smoothing_hurt", "+0.08 points (1142 and 1141 of 1226 right), not worse"),
        ("same quantity", "004/exp_002a.latency_estimated", "~20-25 ms"),
        ("derivation", "004/denormals.regression", "2.3x; written 10x"),
        ("same quantity", "004/exp_006a.input", "ImageNet mean and deviation"),
    ],
    7: [
        ("minority", "001/minority_weight", "765 ≥ 700: it is the majority"),
        ("derivation", "001/weight.conditional", "700 / 765 = 0.915; written 1.09"),
        ("derivation", "001/share.normal", "47.78 %; written 47.7%"),
        ("derivation", "001/share.conditional", "52.22 %; written 52.3%"),
    ],
    8: [
        ("copied numbers", "001/test.map50", "all 5 numbers of the 25 test images repeat"),
        ("same quantity", "001/type.rock_toe", "75.51%"),
        ("same quantity", "001/type.slope_drain", "84.62%"),
        ("same quantity", "001/type.toe_drain", "83.33%"),
        ("same quantity", "001/type.vegetation", "81.82%"),
    ],
    9: [
        ("same images", "001/gain.nine", "86.54% on the 208 validation instances, 10.16% on the 128 test"),
        ("derivation", "001/gain.nine", "751.8 %; written +764%"),
        ("derivation", "001/gain.nine_again", "written 792%; 792% would be 80.47% / 10.16%"),
        ("same quantity", "001/gain.nine", "792%"),
        ("one class", "001/nine.accuracy", "13/128 = 10.16 %"),
        ("one class", "001/nine.accuracy", "chance among 9 classes is 11.1%"),
    ],
    10: [
        ("same quantity", "001/binary.epochs", "but 8"),
        ("same quantity", "001/binary.lr", "but 0.001"),
        ("same quantity", "001/binary.best_epoch", "but 6"),
        ("same quantity", "001/train.mosaic", "but 0.2"),
        ("same quantity", "001/train.perspective", "but 0.0"),
        ("same quantity", "001/train.hours", "but 609 s"),
        ("derivation", "001/clip.size", "605.1 MB; written 150MB"),
        ("bytes a parameter", "001/binary.size", "1.0 bytes"),
    ],
    11: [
        ("derivation", "001/images.merged", "120 + 290 = 410; written 375; 375 would be 120 + 242 + 13"),
        ("overlap", "001/val45", "3 of the 45 validation images are training images"),
        ("same quantity", "001/val.toe_drain", "but 21"),
    ],
    12: [
        ("same images", "001/gain.baseline", "76.17% on the 30 validation images"),
        ("better", "001/improved_on_baseline", "of different images"),
    ],
    13: [
        ("best epoch", "001/epoch6.saved", "epoch 6: 89.52%"),
        ("best epoch", "001/epoch6.saved_map50_95", "epoch 6: 63.56"),
        ("best epoch", "001/fitness.21", "0.66156"),
    ],
    14: [
        ("derivation", "002/rows", "9,258 + 8,701 = 17,959; written 17,957"),
        ("derivation", "002/pictures", "17,959; written 17,957"),
    ],
    15: [("mean_in_bins", "002/mean_cues", "= 8.509; written 8.4")],
    16: [
        ("empty_labels", "002/empty", "17,729 of 17,957 (98.7%) show an object"),
        ("needs", "002/precision_target", "recall of yolo12s_hardneg_1280"),
    ],
    17: [
        ("formula_range", "002/yolo_range", "= 0.198, written 0.20"),
        ("binds", "002/moderately_confident", "bound 0.85, most extreme value 0.77"),
    ],
    18: [
        ("equal recall", "000/hardneg.false_positives", "recall and confidence on the same images not given"),
        ("needs", "000/highest_precision", "precision of yolo12s_hardneg_1280"),
    ],
    19: [
        ("same quantity", "000/hardneg.parameters", "9,272,486"),
        ("same quantity", "000/yolo11n.parameters", "2,624,080"),
        ("bytes a parameter", "000/hardneg.size", "19 MB / 19M = 1.0 bytes"),
        ("bytes a parameter", "000/yolo11n.size", "5.4 MB / 5.4M = 1.0 bytes"),
        ("similar", "000/one_network", "36 MB / 19 MB = 1.89"),
    ],
    20: [
        ("same quantity", "003/method", "frozen layers, no adapter"),
        ("same quantity", "003/format", "centre and size"),
        ("same quantity", "003/seed", "but 0"),
        ("left_over", "003/test_set", "57 − 51 − 6 = 0 left for a test set"),
        ("best epoch", "003/epoch_52.map50_95", "epoch 59: 74.52%, epoch 60: 74.62%"),
    ],
    21: [
        ("rates", "003/rates", "batch 16): 0 of 8 fit"),
        ("rates", "003/rates", "5 batches an epoch): 8 of 8 fit"),
        ("same quantity", "003/erasing_effect", "none in detection"),
        ("same quantity", "003/randaugment", "none in detection"),
    ],
    22: [
        (
            "gap",
            "003/winner",
            "n = 6: the 95 % interval of such a mean is 36 to 94 at most; a gap of 2.62 points",
        )
    ],
}


@pytest.fixture(scope="module")
def book():
    return load(Path("conf/claims"))


@pytest.fixture(scope="module")
def found(book):
    return findings(check(book))


def hits(found, rule, about):
    """The findings of a rule about a statement, a set, or a claim."""
    return [
        one
        for one in found
        if one.rule == rule and about in (one.statement, one.set, one.subjects[:1][-1:] and one.subjects[0])
    ]


@pytest.mark.parametrize("number", LEDGER)
def test_a_doubt_of_the_ledger_is_found(found, number):
    for rule, about, arithmetic in LEDGER[number]:
        those = hits(found, rule, about)
        assert any(arithmetic in one.text for one in those), (rule, about, [one.text for one in those])
        assert all(one.verdict in FINDINGS for one in those)


def test_all_22_are_listed():
    assert sorted(LEDGER) == list(range(1, 23))


def test_what_agrees_is_said_to_agree(book):
    """Numbers of the documents that do follow from others: a rule that calls everything wrong would fail here."""
    consistent = {
        (one.rule, one.subjects[0]) for one in check(book) if one.verdict == "consistent" and one.subjects
    }
    for name in (
        "000/hardneg.reduction", "000/hardneg.images", "001/epoch6.map50", "001/parameters.trainable", "001/balance",
        "001/gain.zero_shot", "002/candidates", "002/effort", "002/inside.share", "003/missed", "003/size",
        "004/exp_002a.accuracy", "004/exp_002a.precision", "004/resnet18.accuracy", "004/exp_002a.f1_gain",
    ):  # fmt: skip
        assert ("derivation", name) in consistent, name


def test_every_document_is_there_in_full(book):
    counts = {
        key: sum(bool(claim.lines) for name, claim in book.claims.items() if name[:3] == key)
        for key in book.documents
    }
    assert counts.keys() == {"000", "001", "002", "003", "004"}
    assert all(count >= 50 for count in counts.values()), counts
    assert sum(counts.values()) >= 500


def test_experiments_are_named_as_in_conf(book):
    """What is measured finds its claim by the experiment's name, so a published score must use it."""
    known = {path.stem for path in Path("conf/experiment").glob("*/*.yaml")}
    scores = {"accuracy", "map50", "map50_95"}
    named = {
        one.experiment
        for one in book.claims.values()
        if one.metric in scores and one.kind == "value" and one.experiment
    }
    assert named <= known


def test_the_page_beside_the_files_names_every_function_and_rule(tmp_path):
    """And its example is one."""
    from assay.claims.functions import FUNCTIONS
    from assay.claims.statements import STATEMENTS

    page = Path("conf/claims/README.md").read_text("utf-8")
    assert [name for name in (*FUNCTIONS, *STATEMENTS) if f"`{name}`" not in page] == []
    (tmp_path / "004.yaml").write_text(page.split("```yaml\n")[1].split("```")[0])
    assert {one.verdict for one in check(load(tmp_path))} == {"consistent", "not testable", "biased"}
