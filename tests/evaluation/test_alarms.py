import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from assay.evaluation.alarms import alarms_of, count_alarms, per_unit

SPANS = pd.DataFrame(
    [("a", 0, 8, 30.0, "signs"), ("b", 3, 8, 10.0, "")], columns=["clip", "first", "last", "fps", "category"]
)


def test_what_stays_is_one_alarm():
    looked = list(range(0, 20, 2))
    assert alarms_of(looked, []) == 0
    assert alarms_of(looked, [0, 2, 4]) == 1
    assert alarms_of(looked, [0, 4, 6, 18]) == 3  # frame 2 shows nothing: 4 is another alarm
    assert alarms_of(looked, looked) == 1


@given(st.lists(st.booleans(), max_size=40))
def test_there_are_at_most_as_many_alarms_as_frames_and_at_most_every_second(flags):
    shown = [frame for frame, flag in enumerate(flags) if flag]
    alarms = alarms_of(range(len(flags)), shown)
    assert alarms <= min(len(shown), (len(flags) + 1) // 2) and (alarms > 0) == bool(shown)


@pytest.mark.parametrize(("count", "minutes"), [(0, 2.0), (3, 0.5), (40, 10.0)])
def test_the_poisson_interval_is_the_exact_one(count, minutes):
    found = per_unit(count, minutes)
    assert found.value == count / minutes
    assert found.low == pytest.approx(chi2.ppf(0.025, 2 * count) / 2 / minutes if count else 0)
    assert found.high == pytest.approx(chi2.ppf(0.975, 2 * (count + 1)) / 2 / minutes)


def test_no_video_has_no_rate():
    assert str(per_unit(0, 0.0).value) == "nan"


def test_alarms_are_counted_where_nothing_shows_and_above_the_class_threshold():
    boxes = pd.DataFrame(
        [
            ("a", 0, "cone", 0.30),
            ("a", 2, "cone", 0.29),  # one alarm with frame 0
            ("a", 6, "drum", 0.29),  # below the drum's threshold
            ("a", 8, "drum", 0.50),
            ("b", 2, "cone", 0.90),  # before the stretch begins
            ("b", 4, "cone", 0.25),  # the threshold itself is shown
        ],
        columns=["clip", "frame", "label", "score"],
    )
    found = count_alarms(boxes, SPANS, stride=2, thresholds={"cone": 0.25, "drum": 0.4})
    assert found["alarms"].tolist() == [2, 1] and found["frames_shown"].tolist() == [3, 1]
    assert found["minutes"].tolist() == pytest.approx([9 / 30 / 60, 6 / 10 / 60])
    assert count_alarms(boxes[:0], SPANS, stride=2, thresholds={})["alarms"].tolist() == [0, 0]
