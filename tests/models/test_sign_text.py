import json

import numpy as np
import pytest

from assay.models.sign_text import by_letters, by_phrases, learn_letters, likeness


@pytest.mark.parametrize(
    ("text", "phrase", "low", "high"),
    [
        ("ROADWORK AHEAD", "road work", 1, 1),  # blanks do not count
        ("R0AD WORK AHEAD", "road work", 0.87, 0.9),  # one of eight letters is wrong: 2 * 7 / 16
        ("STOP", "road work", 0, 0.5),
        ("", "detour", 0, 0),
        ("DETO", "detour", 0.8, 0.8),  # 2 * 4 / 10
    ],
)
def test_a_phrase_is_found_although_it_is_nearly_spelt(text, phrase, low, high):
    assert low - 1e-9 <= likeness(text, phrase) <= high + 1e-9


def test_phrases_decide_at_their_threshold():
    told = by_phrases(["DETO", "DETO", "MAIN ST", ""], ["detour", "road work"], at_least=0.8)
    assert (told[:2] > 0.5).all() and told[2] < 0.5 and told[3] == 0
    assert by_phrases(["DETO"], ["detour"], at_least=0.81)[0] < 0.5


def test_letters_are_learnt_and_come_back_from_json():
    texts = [
        "ROAD WORK",
        "ROAD CLOSED",
        "DETOUR",
        "LANE CLOSED",
        "STOP",
        "MAIN ST",
        "EXIT 12",
        "BUS STOP",
        "",
    ]
    work = [True] * 4 + [False] * 4 + [True]  # the last has no text and teaches nothing
    learnt = learn_letters(texts, work)
    told = by_letters(["ROAD WORK AHEAD", "STOP HERE", ""], json.loads(json.dumps(learnt)))
    assert told[0] > 0.5 > told[1] and told[2] == 0
    np.testing.assert_array_equal(told, by_letters(["ROAD WORK AHEAD", "STOP HERE", ""], learnt))
    with pytest.raises(ValueError, match="both kinds"):
        learn_letters(["STOP", ""], [False, True])
