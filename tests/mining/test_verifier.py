import math

import numpy as np
import pytest
import torch

from assay.errors import UserError
from assay.mining.small_clip import caption_of, learned_id, shrink, small_clip_verifier, train_small_clip
from assay.mining.timeline import Fusion
from assay.mining.verifier import by_prompts, clip_input, clip_verifier
from assay.models import clip_adapter
from assay.models.weights import Weights

FUSION = Fusion(slope=3.0, above=0.45, share=0.35)
POSITIVE, NEGATIVE = "a road work zone with traffic cones", "a normal road"


def test_two_cosines_become_a_score():
    # (3, 4) / 5: cosines .6 and .8 with the axes; lengths do not matter
    verify = by_prompts(
        lambda rgb: np.array([30.0, 40.0]), np.array([7.0, 0.0]), np.array([0.0, 2.0]), FUSION
    )
    assert verify(np.zeros((2, 2, 3), np.uint8)) == pytest.approx(1 / (1 + math.exp(3 * 0.2)))


def test_what_clip_sees_is_the_middle_square():
    frame = np.zeros((100, 300, 3), np.uint8)
    frame[:, 100:200] = 255
    pixels = clip_input(frame)
    assert pixels.shape == (3, 224, 224) and pixels.dtype == np.float32
    white = (1 - np.array(clip_adapter.MEAN)) / np.array(clip_adapter.STD)
    inner = pixels[:, 8:-8, 8:-8]  # bicubic looks two pixels over the edge
    np.testing.assert_allclose(inner.mean(axis=(1, 2)), white, rtol=1e-4)


def test_clip_with_its_two_towers(monkeypatch):
    """A CLIP of toy size with weights that only this test knows; the cosines are computed here again."""
    from transformers import CLIPModel

    name = "openai/clip-vit-base-patch32"
    monkeypatch.setitem(clip_adapter.SIZES, name, ((32, 1, 2, 32), (32, 2), 16))
    torch.manual_seed(0)
    whole = CLIPModel(clip_adapter._configuration(name)).eval()

    def tokens(texts, **_):
        ids = torch.tensor([[5, 6, 49407], [7, 8, 49407]])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    monkeypatch.setattr(clip_adapter, "_tokenizer", lambda _: tokens)
    weights = Weights("file", "toy", whole.state_dict())
    verify = clip_verifier(name, weights, positive=POSITIVE, negative=NEGATIVE, fusion=FUSION)
    frame = np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)
    with torch.inference_mode():
        image = torch.from_numpy(clip_input(frame)[None])
        near, far = (
            whole(pixel_values=image, **tokens([])).logits_per_image[0] / whole.logit_scale.exp()
        ).tolist()
    assert near != pytest.approx(far)
    assert verify(frame) == pytest.approx(1 / (1 + math.exp(-3 * (near - far))), abs=1e-5)


def test_random_weights_give_no_opinion():
    with pytest.raises(UserError, match="pretrained weights"):
        clip_verifier(
            "openai/clip-vit-base-patch32",
            Weights("random", "", None),
            positive=POSITIVE,
            negative=NEGATIVE,
            fusion=FUSION,
        )


@pytest.mark.parametrize(
    ("labels", "caption"),
    [
        ((), NEGATIVE),
        (("work_equipment",), NEGATIVE),  # of no kind
        (("cone", "cone", "drum"), "a road with traffic cones, barriers"),
        (("worker", "cone"), "a road work zone with traffic cones, barriers, workers"),
    ],
)
def test_a_caption_says_what_the_boxes_show(labels, caption):
    assert caption_of(labels, normal=NEGATIVE) == caption


def test_a_small_clip_learns_what_the_words_mean():
    draw = np.random.default_rng(0)
    frames = draw.integers(60, 160, (40, 90, 160, 3), np.uint8)
    frames[:20, 20:80, 30:130] = (240, 120, 20)  # orange; the rest is grey
    captions = [POSITIVE] * 20 + [NEGATIVE] * 20
    small = np.stack([shrink(frame) for frame in frames])
    options = {"prompts": [POSITIVE, NEGATIVE], "seed": 0, "steps": 25, "batch": 16}
    model = train_small_clip(small[:38], captions[:38], **options)
    assert sum(tensor.numel() for tensor in model.parameters()) < 300_000
    verify = small_clip_verifier(model, positive=POSITIVE, negative=NEGATIVE, fusion=FUSION)
    assert verify(frames[0]) > 0.6 and verify(frames[39]) < 0.4  # the last it has not seen
    state = torch.random.get_rng_state()
    assert learned_id(train_small_clip(small[:38], captions[:38], **options)) == learned_id(model)
    assert torch.equal(torch.random.get_rng_state(), state)
