import numpy as np
import pytest

from assay.data.detections import detections
from assay.evaluation.grouping import GroupingRule
from assay.mining.pages import REASONS, PageRule, page_finding

CLASSES = ("qr", "signature", "stamp")
PAGE = np.full((1024, 724, 3), 255, np.uint8)
RULE = PageRule(confidence=0.15, grouping=GroupingRule(), merged=3, low_confidence=0.4)
CODE = (100.0, 100.0, 160.0, 160.0)


def boxes(*rows):
    table = np.array(rows, float).reshape(-1, 6)
    return detections(table[:, :4], table[:, 4], table[:, 5])


def many(count, score=0.9):
    """So many boxes of one signature."""
    return [(60 + 60 * k, 700, 180 + 60 * k, 740, 1, score - 0.01 * k) for k in range(count)]


def finding(found, read=()):
    return page_finding(PAGE, found, classes=CLASSES, rule=RULE, read=lambda picture, boxes: list(read))


# boxes, codes that are read, the finding
CASES = [
    ([], (), None),
    ([], (CODE,), ("code_unseen", 1.0, "qr")),
    ([(90, 90, 170, 170, 0, 0.9)], (CODE,), None),
    ([(90, 90, 170, 170, 0, 0.9)], (), ("code_unread", 0.9, "qr")),
    ([(500, 500, 560, 560, 0, 0.8)], (CODE,), ("code_unseen", 1.0, "qr")),  # found elsewhere
    ([(90, 90, 170, 170, 0, 0.1)], (CODE,), ("code_unseen", 1.0, "qr")),  # found, but not shown
    (many(2), (), None),
    (many(3), (), ("merged", 1 - 1 / 3, "signature")),
    (many(5), (), ("merged", 0.8, "signature")),
    ([(10, 10, 60, 60, 2, 0.3)], (), ("low_confidence", 0.7, "stamp")),
    ([(10, 10, 60, 60, 2, 0.3), *many(3)], (), ("merged", 1 - 1 / 3, "signature")),
    ([(10, 10, 60, 60, 2, 0.12)], (), None),  # below what is shown
]


@pytest.mark.parametrize(("rows", "read", "expected"), CASES)
def test_the_first_reason_that_holds_counts(rows, read, expected):
    found = finding(boxes(*rows), read)
    assert (found is None) == (expected is None)
    if expected:
        assert found[0] in REASONS and (found[0], found[2]) == (expected[0], expected[2])
        assert found[1] == pytest.approx(expected[1])


def test_a_class_of_codes_may_have_another_name():
    for name in ("qr_code", "code_qr"):
        for found, reason in ((boxes(), "code_unseen"), (boxes((90, 90, 170, 170, 1, 0.9)), "code_unread")):
            read = [CODE] if reason == "code_unseen" else []
            given = page_finding(
                PAGE, found, classes=("stamp", name), rule=RULE, read=lambda *_, codes=read: codes
            )
            assert (given[0], given[2]) == (reason, name)


def test_classes_without_codes_ask_no_decoder():
    def read(picture, boxes):
        raise AssertionError("asked")

    found = boxes((10, 10, 60, 60, 0, 0.3))
    assert page_finding(PAGE, found, classes=("stamp",), rule=RULE, read=read)[2] == "stamp"
