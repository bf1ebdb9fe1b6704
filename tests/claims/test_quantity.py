import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.claims.quantity import exactly, parse


@pytest.mark.parametrize(
    ("written", "unit", "value", "low", "high"),
    [
        ("94.21%", "", 0.9421, 0.94205, 0.94215),  # a share; half a unit of the last digit
        ("0.9416", "", 0.9416, 0.94155, 0.94165),
        ("~90 MB", "", 90e6, 89e6, 91e6),  # approximate: a whole unit
        ("16ms", "", 0.016, 0.0155, 0.0165),
        ("2.5 hours", "", 9000, 8820, 9180),
        ("17,957", "", 17957, 17957, 17957),  # a count is exact
        ("11.7M", "", 11.7e6, 11.65e6, 11.75e6),
        ("1e-5", "", 1e-5, 0.5e-5, 1.5e-5),
        ("0.000038", "", 3.8e-5, 3.75e-5, 3.85e-5),
        ("≥94.5%", "", 0.945, 0.945, math.inf),
        ("30+ FPS", "", 30, 30, math.inf),
        ("90%+", "", 0.9, 0.9, math.inf),
        ("<50", "", 50, 0, 50),  # without a minus, it is above zero
        ("<-5%", "", -0.05, -math.inf, -0.05),
        ("~1 hour", "", 3600, 0, 7200),
        ("±1.5%", "", 0.015, 0.0145, 0.0155),
        ("-0.5%", "", -0.005, -0.0055, -0.0045),
        ("2–4 hours", "", 3 * 3600, 1.5 * 3600, 4.5 * 3600),  # a range, its first unit from the last
        ("~8-10ms", "", 0.009, 0.007, 0.011),  # approximate at both ends
        ("1280×1280", "", 1280, 1279.5, 1280.5),
        ("3×", "", 3, 2.5, 3.5),
        ("579", "MiB", 579 * 2**20, 578.5 * 2**20, 579.5 * 2**20),  # unit from a table's head
        ("960px", "", 960, 959.5, 960.5),
    ],
)
def test_a_written_number_stands_for_all_that_rounds_to_it(written, unit, value, low, high):
    found = parse(written, unit)
    assert found.value == pytest.approx(value)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize("written", ["lora", "", "about 5", "12 parsecs", "5 ms to"])
def test_text_is_no_number(written):
    with pytest.raises(ValueError, match=r"no number|unit"):
        parse(written)


def test_an_unknown_unit_is_named():
    with pytest.raises(ValueError, match="parsec"):
        parse("12", "parsec")


def test_a_range_of_two_units_is_refused():
    with pytest.raises(ValueError, match="different units"):
        parse("5 ms-7 MB")


@given(st.floats(-1e6, 1e6), st.integers(0, 6), st.sampled_from(["", "%", "ms", "M", "MB"]))
def test_a_value_rounded_to_its_written_decimals_is_consistent_with_it(value, decimals, unit):
    if not unit and not decimals:
        return  # a whole number without a unit is a count, which nobody rounds
    found = parse(f"{value:.{decimals}f}{unit}")
    assert found.meets(exactly(value * found.scale))
    step = found.scale * 10.0**-decimals
    assert not found.meets(exactly(value * found.scale + 1.2 * step))
    assert not found.meets(exactly(value * found.scale - 1.2 * step))


def test_a_number_is_shown_in_the_unit_it_is_held_against():
    assert exactly(0.53834).show(parse("53.83%")) == "53.834 %"
    assert exactly(410).show(parse("375")) == "410"
    assert exactly(605109252, "byte").show(parse("150MB")) == "605.1 MB"
