import dataclasses

import numpy as np
import pandas as pd
import pytest

from assay.mining.similar import SimilarFrames, SkipRule

RULE = SkipRule(difference=0.01, most=4)


def grey(value, spot=0):
    image = np.full((90, 160, 3), value, np.uint8)
    image[:45, :80] += np.uint8(spot)
    return image


def test_like_the_last_that_was_looked_at():
    similar = SimilarFrames(RULE)
    # a quarter of the picture brighter by 20 of 255 is a mean difference of .0196; by 8 it is .0078
    assert [similar.skip(one) for one in (grey(90), grey(90), grey(90, 8), grey(90, 20), grey(90, 20))] == [
        False, True, True, False, True,
    ]  # fmt: skip


def test_slow_changes_add_up():
    similar = SimilarFrames(dataclasses.replace(RULE, most=100))
    skipped = [similar.skip(grey(90 + step)) for step in range(12)]  # 1 of 255 is .0039, 3 of 255 is .0118
    assert skipped == [False, True, True] * 4


def test_not_forever_and_not_at_all():
    similar = SimilarFrames(RULE)
    assert [similar.skip(grey(90)) for _ in range(10)] == [False, *[True] * 4] * 2
    off = SimilarFrames(SkipRule(difference=0, most=4))
    assert not any(off.skip(grey(90)) for _ in range(5))


@pytest.mark.parametrize("batch", [1, 8])
def test_skipped_frames_count_in_the_timeline_and_are_no_candidates(project, batch, monkeypatch):
    import itertools

    def predict(images, **asked):
        stream = iter(images)
        while some := list(itertools.islice(stream, batch)):
            for image in some:
                cones, boards = divmod(int(image[0, 0, 0]), 10)
                yield project.detector.boxes(cone=cones, message_board=boards)

    monkeypatch.setattr(project.detector, "predict", predict)
    shown = [(0, 0)] * 9 + [(6, 1)] * 30 + [(2, 0)] * 9
    project.clip("a", shown)
    _, whole = project.mine(stride=1, cap=50)
    timeline = pd.read_csv(project.out / "a/timeline.csv")
    _, table = project.mine(stride=1, cap=50, skip=SkipRule(difference=0.001, most=4))
    shorter = pd.read_csv(project.out / "a/timeline.csv")
    pd.testing.assert_frame_equal(shorter.drop(columns="inferred"), timeline.drop(columns="inferred"))
    assert timeline["inferred"].sum() == 48 and shorter["inferred"].sum() == 2 + 6 + 2
    assert set(table["frame"]) < set(whole["frame"]) and len(table) < len(whole)
    assert set(table["frame"]) <= set(shorter.loc[shorter["inferred"] == 1, "frame"])
