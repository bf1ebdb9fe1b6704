"""Had a document said what adds up, its finding would be gone: what finds the ledger's doubts is rules, not names."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from assay.claims import check as check_module
from assay.claims.book import _quantity, load
from assay.claims.check import check, findings
from assay.claims.schema import Claim
from tests.claims.test_shipped import LEDGER, book, found, hits  # noqa: F401 - two fixtures

_HARDNEG = {"line": 1, "experiment": "yolo12s_hardneg_1280"}
_GIVEN = {"written": "90%"} | _HARDNEG

# number in the ledger -> what would have to stand there: fields of claims, sets and schedules; or claims that are missing
MENDED = {
    1: {
        "004/exp_002b.accuracy": {"written": "53.75%"}
    },  # 659 of 1226, one image fewer than the largest class
    2: {"004/exp_002a.accuracy": {"written": "96.00%"}},
    3: {"004/resnet50_augmented_raw.accuracy": {"written": "91.03%"}},  # 39 images fewer
    4: {"004/val": {"chooses": "", "in_training": 0}},
    5: {
        "004/exp_003a.parameters": {"written": "28,635,000"},
        "004/production_baseline.size": {"written": "94MB"},
    },
    6: {
        "004/exp_003b.accuracy": {"written": "80.02%"},
        "004/exp_002a.latency_estimated": {"written": "~58 ms"},
        "004/denormals.regression": {"written": "2.3x"},
        "004/exp_006a.input": {"means": "ImageNet mean and deviation"},
    },
    7: {
        "001/conditional": {"written": "700"},
        "001/normal": {"written": "765"},
        "001/share.normal": {"written": "52.2%"},
        "001/share.conditional": {"written": "47.8%"},
    },
    8: {
        "001/test.map50": {"written": "80.00%"},
        "001/type.rock_toe": {"written": "~75.5%"},
        "001/type.slope_drain": {"written": "~85%"},
        "001/type.toe_drain": {"written": "~83%"},
        "001/type.vegetation": {"written": "~82%"},
    },
    9: {
        "001/nine.accuracy": {"written": "20.19%", "set": "conditions_val"},
        "001/gain.nine": {"written": "+329%"},
        "001/gain.nine_again": {"written": "329%"},
    },
    10: {
        "001/binary.epochs": {"written": "8"},
        "001/binary.lr": {"written": "0.001"},
        "001/binary.best_epoch": {"written": "6"},
        "001/train.mosaic": {"written": "0.2"},
        "001/train.perspective": {"written": "0"},
        "001/train.hours": {"written": "609 s"},
        "001/clip.size": {"written": "605MB"},
        "001/binary.size": {"written": "606MB"},
    },
    11: {
        "001/images.merged": {"written": "410"},
        "001/val45": {"in_training": 0},
        "001/val.toe_drain": {"written": "21"},
    },
    12: {"001/yolov8s_baseline.map50": {"set": "val45"}},
    13: {"001/epoch6.saved": {"written": "90.00%"}, "001/epoch6.map50_95": {"written": "64.00%"}},
    14: {"002/rows": {"written": "17,959"}, "002/pictures": {"written": "17,959"}},
    15: {"002/cues.mean": {"written": "8.6"}},
    16: {
        "002/cues.0": {"written": "17,957"},
        "002/recall": _GIVEN | {"metric": "recall"},
        "002/precision": _GIVEN | {"metric": "precision"},
    },
    17: {"002/yolo.least": {"written": "0.30"}, "002/range.high": {"written": "0.70"}},
    18: {
        f"000/{metric}": _GIVEN | {"metric": metric, "set": "test37"}
        for metric in ("recall", "confidence", "precision")
    },
    19: {
        "000/hardneg.parameters": {"written": "9.27M"},
        "000/yolo11n.parameters": {"written": "2.62M"},
        "000/baseline.size": {"written": "19 MB"},
    },
    20: {
        "003/method": {"means": "frozen layers, no adapter"},
        "003/format": {"means": "centre and size"},
        "003/seed": {"written": "0"},
        "003/images": {"written": "63"},
        "003/epoch_52.map50_95": {"written": "75.00%"},
    },
    21: {
        "003/stated": {  # what ultralytics chooses by itself
            "decay": "linear",
            "lr0": {"auto_learning_rate": "classes"},
            "warmup_epochs": None,
            "warmup_steps": 100,
            "steps_per_epoch": "batches.logged",
        },
        "003/erasing_effect": {"means": "none in detection"},
        "003/randaugment": {"means": "none in detection"},
    },
    22: {"003/images.val": {"written": "6,000"}},
}


def mended(book, changes):  # noqa: F811
    kinds = {kind: dict(getattr(book, kind)) for kind in ("claims", "sets", "schedules", "written")}
    other = replace(book, **kinds, _values={}, _open=[])
    for name, fields in changes.items():
        known = next((kinds[kind] for kind in ("sets", "schedules") if name in kinds[kind]), other.claims)
        old = known.get(name)
        known[name] = old.model_copy(update=fields) if old else Claim.model_validate(fields)
        if known is other.claims and known[name].means is None:
            other.written[name] = _quantity(known[name])
    return other


@pytest.mark.parametrize("number", MENDED)
def test_a_doubt_of_the_ledger_is_gone_where_the_numbers_add_up(book, found, number):  # noqa: F811
    mended_finds = findings(check(mended(book, MENDED[number])))
    for rule, about, arithmetic in LEDGER[number]:
        before = {one.verdict for one in hits(found, rule, about) if arithmetic in one.text}
        after = {one.verdict for one in hits(mended_finds, rule, about)}
        assert before - after == before != set(), (rule, about)


def test_no_rule_knows_a_document():
    """Neither its number, an experiment's or a claim's name stands in the code."""
    known = load(Path("conf/claims"))
    names = {one.experiment for one in known.claims.values() if one.experiment} | known.documents.keys()
    names |= {name.partition("/")[2] for name in (*known.claims, *known.statements, *known.sets)}
    said = {
        node.value
        for path in Path(check_module.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    plain = {one.metric for one in known.claims.values()} | {name for name in names if name.isalpha()}
    assert sorted((names & said) - plain) == []  # "hours" and "map50" are words of their own
