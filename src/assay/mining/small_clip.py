"""A CLIP of a quarter million parameters, taught from labelled frames: where the real one's weights can't be had.

A caption says what a frame's boxes show, in the words of the prompts; image and caption learn to point the same way
(Radford et al. 2021, arXiv 2103.00020). It knows these words and this data, nothing else: a stand-in that exercises every
step and gives a real second opinion on drawn data, not a substitute for CLIP on the road.
"""

import hashlib
import re
from collections.abc import Collection, Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from assay.mining.cues import KINDS
from assay.mining.timeline import Fusion
from assay.mining.verifier import Towers, Verify, by_prompts

SIZE = (112, 64)  # px of what it sees, width and height
_WIDTHS = (16, 32, 64, 96, 128)
_SPACE = 64  # numbers of an embedding
_WORDS = {
    "channelization": "traffic cones, barriers",
    "workers": "workers",
    "vehicles": "construction vehicles",
    "signs": "construction signs",
    "message_boards": "message boards",
}


class SmallClip(nn.Module):
    """Two towers into one space of 64 numbers."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        super().__init__()
        self.vocabulary = tuple(vocabulary)
        layers: list[nn.Module] = []
        for before, after in zip((3, *_WIDTHS), _WIDTHS, strict=False):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.GroupNorm(8, after), nn.SiLU()]
        self.image = nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d((1, 2)), nn.Flatten(), nn.Linear(2 * _WIDTHS[-1], _SPACE)
        )
        self.words = nn.EmbeddingBag(len(vocabulary) + 1, _SPACE, mode="mean")  # 0: a word it has not met
        self.text = nn.Linear(_SPACE, _SPACE)
        self.temperature = nn.Parameter(torch.tensor(2.0))

    def embed_image(self, pixels: Tensor) -> Tensor:
        """float32 (N, 3, 64, 112) in 0-1 -> (N, 64), of length 1."""
        return nn.functional.normalize(cast(Tensor, self.image(pixels - 0.5)), dim=1)

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """(N, 64), of length 1."""
        places = {word: place for place, word in enumerate(self.vocabulary, 1)}
        bags = [torch.tensor([places.get(word, 0) for word in words_of(text)]) for text in texts]
        padded = torch.nn.utils.rnn.pad_sequence(bags, batch_first=True)
        weights = torch.nn.utils.rnn.pad_sequence([torch.ones(len(bag)) for bag in bags], batch_first=True)
        mean = nn.functional.embedding_bag(
            padded, self.words.weight, per_sample_weights=weights, mode="sum"
        ) / weights.sum(dim=1, keepdim=True)
        return nn.functional.normalize(cast(Tensor, self.text(mean)), dim=1)


def words_of(text: str) -> list[str]:
    """Lower-case words; raises ValueError for a text without one."""
    words = re.findall(r"[a-z]+", text.lower())
    if not words:
        raise ValueError(f"no word in {text!r}")
    return words


def caption_of(labels: Collection[str], *, normal: str) -> str:
    """What a frame's boxes show; several kinds of cue make a work zone of a road, nothing makes it `normal`."""
    seen = [kind for kind, classes in KINDS.items() if any(label in classes for label in labels)]
    if not seen:
        return normal
    place = "a road work zone" if len(seen) > 1 else "a road"
    return f"{place} with {', '.join(_WORDS[kind] for kind in seen)}"


def shrink(rgb: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) of any size -> uint8 (64, 112, 3)."""
    import cv2

    return cv2.resize(rgb, SIZE, interpolation=cv2.INTER_AREA)


def train_small_clip(
    pictures: np.ndarray,
    captions: Sequence[str],
    *,
    prompts: Sequence[str],
    seed: int,
    steps: int = 250,
    batch: int = 32,
) -> SmallClip:
    """Teach one from scratch; the same arguments give the same weights.

    Args:
        pictures: uint8 (N, 64, 112, 3) RGB; see `shrink`.
        captions: N; see `caption_of`. Those that are equal count as one caption of several pictures.
        prompts: texts it will be asked about; their words join the vocabulary.
        seed: of weights, order and mirroring.
        steps: of the optimizer.
        batch: pictures in a step.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SmallClip(sorted({word for text in (*captions, *prompts) for word in words_of(text)}))
        known = sorted(set(captions))
        target = torch.tensor([known.index(caption) for caption in captions])
        # each caption is drawn as often as any other: most frames of a drive show nothing
        weight = 1.0 / torch.bincount(target, minlength=len(known)).float()[target]
        inputs = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
        model.train()
        for _ in range(steps):
            chosen = torch.multinomial(weight, batch, replacement=True)
            pixels = inputs[chosen].float() / 255
            pixels = torch.where(torch.rand(batch, 1, 1, 1) < 0.5, pixels.flip(3), pixels)
            pixels = (pixels * (0.8 + 0.4 * torch.rand(batch, 1, 1, 1))).clamp(0, 1)
            logits = model.embed_image(pixels) @ model.embed_texts(known).T * model.temperature.exp()
            loss = nn.functional.cross_entropy(logits, target[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def learned_id(model: SmallClip) -> str:
    """8 hex digits of its weights, for the candidates."""
    parts = b"".join(tensor.numpy().tobytes() for _, tensor in sorted(model.state_dict().items()))
    return hashlib.sha256(parts).hexdigest()[:8]


def small_clip_verifier(model: SmallClip, *, positive: str, negative: str, fusion: Fusion) -> Verify:
    """Ask it about frames of any size, as `clip_verifier` asks CLIP."""
    return by_prompts(*small_clip_towers(model, positive=positive, negative=negative), fusion)


def small_clip_towers(model: SmallClip, *, positive: str, negative: str) -> Towers:
    """Its image tower for frames of any size, and the two prompts."""
    with torch.inference_mode():
        texts = model.embed_texts([positive, negative]).numpy()

    def embed(rgb: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            pixels = torch.from_numpy(shrink(rgb).transpose(2, 0, 1)[None].astype(np.float32) / 255)
            return model.embed_image(pixels)[0].numpy()

    return Towers(embed, texts[0], texts[1])
