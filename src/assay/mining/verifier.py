"""A second opinion on a frame: is it nearer to the words for a work zone, or to those for a normal road?"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from assay.mining.clip import Verify
from assay.mining.timeline import Fusion, similarity_score
from assay.models.weights import Weights

Embed = Callable[[np.ndarray], np.ndarray]  # uint8 (H, W, 3) RGB -> (D,)


class Towers(NamedTuple):
    """An image tower, and what its text tower made of the two prompts."""

    embed: Embed
    positive: np.ndarray  # (D,)
    negative: np.ndarray  # (D,)


def by_prompts(embed: Embed, positive: np.ndarray, negative: np.ndarray, fusion: Fusion) -> Verify:
    """A verifier that compares a frame's embedding with those of two prompts.

    Args:
        embed: the image tower, of any length.
        positive: (D,) embedding of the prompt for a work zone, of any length.
        negative: (D,) of the prompt for a normal road.
        fusion: how two cosines become a score.
    """
    prompts = np.stack([_unit(positive), _unit(negative)])

    def verify(rgb: np.ndarray) -> float:
        near, far = prompts @ _unit(embed(rgb))
        return similarity_score(float(near), float(far), fusion)

    return verify


def clip_verifier(name: str, weights: Weights, *, positive: str, negative: str, fusion: Fusion) -> Verify:
    """CLIP as transformers has it, asked about frames; see `clip_towers` for arguments and errors."""
    return by_prompts(*clip_towers(name, weights, positive=positive, negative=negative), fusion)


def clip_towers(name: str, weights: Weights, *, positive: str, negative: str) -> Towers:
    """CLIP as transformers has it, on the CPU.

    Args:
        name: of `assay.models.clip_adapter.SIZES`.
        weights: its pretrained weights; see `assay.models.clip_adapter.resolve`.
        positive: the prompt for a work zone.
        negative: the prompt for a normal road.

    Raises:
        UserError: the weights are random ones, or the tokenizer is missing.
    """
    import torch

    from assay.models import clip_adapter

    texts = clip_adapter.embed_texts(name, weights, [positive, negative]).numpy()
    tower = clip_adapter.build_vision(name, weights).eval()

    def embed(rgb: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return clip_adapter.embed(tower, torch.from_numpy(clip_input(rgb)[None]))[0].numpy()

    return Towers(embed, texts[0], texts[1])


def clip_input(rgb: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) -> float32 (3, 224, 224): the middle square, bicubic, normalised as CLIP's are."""
    from PIL import Image

    from assay.models.clip_adapter import MEAN, SIDE, STD

    height, width = rgb.shape[:2]
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    square = Image.fromarray(rgb).resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side)
    )
    pixels = (np.asarray(square, np.float32) / 255 - np.array(MEAN)) / np.array(STD)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
