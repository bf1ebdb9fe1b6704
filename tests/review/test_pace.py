from datetime import UTC, datetime, timedelta

from assay.review.decisions import Decision
from assay.review.pace import pace

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def answer(second, **changes):
    values = {
        "candidate": f"{int(second):012x}",
        "image": "x",
        "label": "pit",
        "reviewer": "ann",
        "kind": "human",
    }
    return Decision(**values | {"at": NOON + timedelta(seconds=second), "via": "page"} | changes)


def test_the_mean_gap_of_each_reviewer_without_pauses():
    ann = [answer(s) for s in (0, 3, 6, 9, 1000, 1005)]  # the gap of 991 s is a pause
    bob = [answer(s, reviewer="bob", via="terminal") for s in (1, 8)]
    found = pace([*bob, *ann], assumed=10)
    assert (found.seconds, found.pairs) == ((3 + 3 + 3 + 5 + 7) / 5, 5)


def test_few_answers_tables_models_and_covered_ones_tell_nothing():
    assert pace([answer(s) for s in range(5)], assumed=10).pairs == 0  # four gaps
    for changes in ({"via": "table"}, {"kind": "model"}, {"covered_by": "0" * 12}):
        found = pace([answer(s, **changes) for s in range(20)], assumed=10)
        assert (found.seconds, found.pairs) == (10, 0)
