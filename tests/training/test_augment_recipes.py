"""What the batched augmentation does to images, measured on the images, against torchvision's transforms.

Each measure is compared as a distribution (Kolmogorov-Smirnov distance, 0 to 1). ALIKE bounds what two samples of one
recipe differ by; every wrong recipe below is further away, so a wrong number in the code would be noticed.
"""

import math
from functools import cache

import pytest
import torch
from scipy.stats import ks_2samp
from torch import Generator
from torchvision import transforms as reference
from torchvision.transforms import InterpolationMode

from assay.training import augment as ours

COUNT = 700
ALIKE = 0.11  # two samples of 700 of one distribution are further apart once in 2,000 times
SIDE = 64


def generator(seed=0):
    return Generator().manual_seed(seed)


def distances(found, expected):
    """{measure: distance between its two samples}."""
    return {name: ks_2samp(found[name], expected[name]).statistic for name in expected}


# -- geometry: three discs, one in each channel, tell where an image went


@cache
def discs():
    """(3, S, S) in [0, 1]: red in the middle, green 14 px right of it, blue 9 px below it."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    middle = (SIDE - 1) / 2
    places = ((0, 0, 5), (14, 0, 3), (0, 9, 3))
    return torch.stack(
        [((x - middle - a) ** 2 + (y - middle - b) ** 2 <= r * r).float() for a, b, r in places]
    )


def where(batch):
    """Shift (shares of the side), angle (radians), scale and mirroring of (N, 3, S, S) pictures of `discs`."""
    grid = torch.arange(SIDE, dtype=torch.float)
    mass = batch.sum(dim=(2, 3))
    x = (batch.sum(dim=2) * grid).sum(dim=2) / mass
    y = (batch.sum(dim=3) * grid).sum(dim=2) / mass
    to_green, to_blue = ((x[:, k] - x[:, 0], y[:, k] - y[:, 0]) for k in (1, 2))
    return {
        "right": (x[:, 0] - (SIDE - 1) / 2) / SIDE,
        "down": (y[:, 0] - (SIDE - 1) / 2) / SIDE,
        "angle": torch.atan2(to_green[1], to_green[0]),
        "scale": torch.hypot(*to_green) / 14,
        "mirrored": (to_green[0] * to_blue[1] < to_green[1] * to_blue[0]).float(),
    }


def moved(kind="geometric"):
    """What `augment` makes of the discs; the colour of "enhanced" is not undone, places stay what they are."""
    images = (discs().permute(1, 2, 0) * 255).to(torch.uint8).expand(COUNT, -1, -1, -1)
    return where(ours.augment(images, kind, generator()).permute(0, 3, 1, 2).float())


@cache
def moved_by_torchvision():
    """The recipe as torchvision's own chain; the interpolation is ours, so that places are exact."""
    torch.manual_seed(0)
    smooth = {"interpolation": InterpolationMode.BILINEAR}
    chain = reference.Compose(
        [
            reference.RandomHorizontalFlip(0.5),
            reference.RandomVerticalFlip(0.5),
            reference.RandomRotation(180, **smooth),
            reference.RandomAffine(0, translate=(0.1, 0.1), scale=(0.9, 1.1), **smooth),
        ]
    )
    return where(torch.stack([chain(discs()) for _ in range(COUNT)]))


def test_images_go_where_torchvision_puts_them():
    assert max(distances(moved(), moved_by_torchvision()).values()) < ALIKE


def test_each_image_goes_its_own_way():
    measures = torch.stack(list(moved().values()))
    related = torch.corrcoef(measures) - torch.eye(len(measures))
    assert related.abs().max() < 0.15  # no parameter follows another, nor stays the same for a whole batch


def less_than_a_turn(count, low, high, draw):
    """Angles of +-30 degrees, everything else as it is. (+-90 would be no other recipe: both flips turn by 180.)"""
    part = 1 / 6 if high == math.pi else 1
    return torch.empty(count).uniform_(low * part, high * part, generator=draw)


@pytest.mark.parametrize(
    ("name", "value", "measure"),
    [
        ("_uniform", less_than_a_turn, "angle"),
        ("TRANSLATE", 0.2, "right"),
        ("TRANSLATE", 0.05, "down"),
        ("SCALE", (0.8, 1.1), "scale"),
        ("SCALE", (0.9, 1.0), "scale"),
        ("FLIP", 0.0, "mirrored"),
        ("FLIP", 1.0, "mirrored"),  # both ways: half a turn, never a mirror image
    ],
)
def test_another_geometry_would_be_noticed(monkeypatch, name, value, measure):
    monkeypatch.setattr(ours, name, value)
    assert distances(moved(), moved_by_torchvision())[measure] > 1.4 * ALIKE


def test_enhanced_is_geometric_then_blur_then_jitter(monkeypatch):
    called = []

    def watched(name, step):
        def call(*arguments):
            called.append(name)
            return step(*arguments)

        return call

    for name in ("warp", "blur", "jitter"):
        monkeypatch.setattr(ours, name, watched(name, getattr(ours, name)))
    moved("geometric")
    moved("enhanced")
    assert called == ["warp", "warp", "blur", "jitter"]


# -- blur: how much of a single white pixel stays where it was


def kept(batch):
    return {"kept": batch[:, 0, 3, 3]}


def dots():
    dot = torch.zeros(3, 7, 7)
    dot[:, 3, 3] = 1
    return dot.expand(COUNT, -1, -1, -1)


@cache
def blurred_by_torchvision():
    torch.manual_seed(0)
    chain = reference.RandomApply([reference.GaussianBlur(3, sigma=(0.1, 0.5))], p=0.3)
    return kept(torch.stack([chain(dot) for dot in dots()]))


def blur_distance():
    # a hundred-thousandth of a pixel is rounding, not blur
    found, expected = kept(ours.blur(dots(), generator())), blurred_by_torchvision()
    return ks_2samp(found["kept"].round(decimals=4), expected["kept"].round(decimals=4)).statistic


def test_dots_are_blurred_as_torchvision_blurs_them():
    assert blur_distance() < ALIKE


@pytest.mark.parametrize(
    ("name", "value"),
    [("BLUR_SHARE", 0.0), ("BLUR_SHARE", 0.6), ("BLUR_SIGMA", (0.1, 0.2)), ("BLUR_SIGMA", (0.5, 2.0))],
)
def test_another_blur_would_be_noticed(monkeypatch, name, value):
    monkeypatch.setattr(ours, name, value)
    assert blur_distance() > 1.4 * ALIKE


# -- colour: three plain pictures, each of which shows one or two of the four changes


@cache
def plain():
    """(3, 3, 4, 4): grey; light beside dark grey of the same mean; a colour, dark and light."""
    grey = torch.full((3, 4, 4), 0.4)
    halves = grey.clone()
    halves[..., :2], halves[..., 2:] = 0.3, 0.5
    colour = torch.tensor([0.5, 0.32, 0.27])[:, None, None] * torch.tensor([0.8, 0.8, 1.2, 1.2])
    colour = colour.expand(3, 4, 4)
    return torch.stack([grey, halves, colour])


def tint(grey, halves, colour):
    """What changed, from the three (N, 3, 4, 4) batches, in numbers that a single change moves."""
    red, green, blue = colour[:, :, 0, 0].T
    luma = torch.einsum("nchw,c->nhw", colour, torch.tensor(ours.GREY))
    chroma = colour[:, :, 0, 0].amax(dim=1) - colour[:, :, 0, 0].amin(dim=1)
    left, right = halves[:, 0, 0, 0], halves[:, 0, 0, 3]
    return {
        "brightness": grey[:, 0, 0, 0],  # a grey picture has no contrast, saturation or hue
        "contrast": (right - left) / (right + left),  # brightness cancels out
        "saturation": chroma / (luma[:, 0, 3] - luma[:, 0, 0]),  # brightness and contrast cancel out
        "hue": torch.atan2(math.sqrt(3) * (green - blue), 2 * red - green - blue),  # nothing else does
    }


@cache
def tinted_by_torchvision():
    torch.manual_seed(0)
    chain = reference.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.2, hue=0.05)
    return tint(*(torch.stack([chain(picture) for _ in range(COUNT)]) for picture in plain()))


def tint_distances():
    batches = (picture.expand(COUNT, -1, -1, -1) for picture in plain())
    found = tint(*(ours.jitter(batch, generator(seed)) for seed, batch in enumerate(batches)))
    return distances(found, tinted_by_torchvision())


def test_colours_change_as_torchvision_changes_them():
    assert max(tint_distances().values()) < ALIKE


@pytest.mark.parametrize(
    ("name", "value", "measure"),
    [
        ("BRIGHTNESS", 0.2, "brightness"),
        ("BRIGHTNESS", 0.5, "brightness"),
        ("CONTRAST", 0.2, "contrast"),
        ("CONTRAST", 0.5, "contrast"),
        ("SATURATION", 0.1, "saturation"),
        ("SATURATION", 0.4, "saturation"),
        ("HUE", 0.03, "hue"),
        ("HUE", 0.1, "hue"),
    ],
)
def test_another_jitter_would_be_noticed(monkeypatch, name, value, measure):
    monkeypatch.setattr(ours, name, value)
    assert tint_distances()[measure] > 1.4 * ALIKE
