import numpy as np

from assay.sample.road_signs import EACH, OTHER, PHRASES, WORK_ZONE, draw_sign, signs


def test_the_same_generator_state_gives_the_same_pixels_of_each_look():
    for look in ("orange", "board", "plain"):
        one, two = (draw_sign(np.random.default_rng(5), "ROAD WORK NEXT 5 MILES", look) for _ in range(2))
        assert np.array_equal(one, two) and 26 <= one.shape[0] <= 150 and one.std() > 5


def test_every_phrase_is_there_and_no_tested_phrase_is_learnt(monkeypatch):
    monkeypatch.setattr(
        "assay.sample.road_signs.draw_sign", lambda rng, text, look: np.zeros((1, 1, 3), np.uint8)
    )
    found = {split: signs(np.random.default_rng(0), split) for split in ("train", "test")}
    for split, some in found.items():
        assert len(some) == EACH[split] * sum(len(PHRASES[kind][split]) for kind in (WORK_ZONE, OTHER))
        assert {sign.look for sign in some if sign.label == OTHER} == {"plain"}
    assert not {sign.text for sign in found["train"]} & {sign.text for sign in found["test"]}
