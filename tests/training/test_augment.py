"""The batched augmentation against torchvision's per-image transforms on one fixed set of images."""

import math

import pytest
import torch
from torch import Generator
from torchvision.transforms import ColorJitter, GaussianBlur, InterpolationMode, RandomAffine
from torchvision.transforms import functional as reference

from assay.training import augment as ours
from assay.training.augment import affine, augment, blur, jitter, warp

SIDE, COUNT = 24, 384


def generator(seed=0):
    return Generator().manual_seed(seed)


@pytest.fixture
def crops():
    """(N, 3, S, S) floats in [0, 1]: coloured blobs on black, off centre, none symmetric."""
    draw = generator(1)
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    centres = 8 + 8 * torch.rand(COUNT, 2, generator=draw)
    distance = (x - centres[:, :1, None]) ** 2 / 30 + (y - centres[:, 1:, None]) ** 2 / 12
    blobs = (distance < 1).float()[:, None] * (0.2 + 0.8 * torch.rand(COUNT, 3, 1, 1, generator=draw))
    return blobs * (0.7 + 0.3 * torch.rand(COUNT, 3, SIDE, SIDE, generator=draw))


def as_bytes(pixels):
    return (pixels * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


@pytest.mark.parametrize("kind", ["none", "geometric", "enhanced"])
def test_the_same_generator_state_gives_the_same_batch(crops, kind):
    images = as_bytes(crops)
    first, again = (augment(images, kind, generator(5)) for _ in range(2))
    assert first.shape == images.shape
    assert first.dtype == torch.uint8
    assert torch.equal(first, again)
    assert torch.equal(augment(images, kind, generator(6)), first) == (kind == "none")


@pytest.mark.parametrize("kind", ["geometric", "enhanced"])
def test_black_stays_black(kind):
    assert augment(torch.zeros(32, SIDE, SIDE, 3, dtype=torch.uint8), kind, generator()).max() == 0


def test_what_comes_from_outside_the_image_is_black():
    white = torch.ones(64, 3, SIDE, SIDE)
    warped = warp(white, affine(64, generator()))
    assert warped.min() == 0
    assert warped[:, :, SIDE // 2, SIDE // 2].min() == pytest.approx(1)  # the centre never leaves


def test_drawn_matrices_cover_the_recipe():
    matrices = affine(4000, generator())
    linear = matrices[:, :, :2]
    determinant = torch.linalg.det(linear)
    assert (determinant < 0).float().mean() == pytest.approx(0.5, abs=0.03)  # one flip of the two, p = .5
    scale = determinant.abs() ** -0.5
    assert 0.9 <= scale.min() < 0.905
    assert 1.095 < scale.max() <= 1.1001
    angle = torch.atan2(linear[:, 0, 1], linear[:, 1, 1])
    for low in torch.arange(-4, 4) * math.pi / 4:  # every eighth of the circle as often as another
        assert ((angle >= low) & (angle < low + math.pi / 4)).float().mean() == pytest.approx(1 / 8, abs=0.02)
    shift = -torch.linalg.solve(linear, matrices[:, :, 2]) / 2
    assert 0.098 < shift.abs().max() <= 0.1001
    assert shift.mean(dim=0).abs().max() < 0.005


@pytest.mark.parametrize(
    ("angle", "shift", "scale"),
    [
        (0, (0, 0), 1.0),  # nothing
        (90, (0, 0), 1.0),  # exact quarter turn
        (37, (0, 0), 1.0),
        (-110, (2, -1), 0.9),  # all three
        (15, (-2, 2), 1.1),
    ],
)
def test_a_matrix_moves_pixels_as_torchvision_does(crops, monkeypatch, angle, shift, scale):
    monkeypatch.setattr(ours, "FLIP", 0.0)
    monkeypatch.setattr(ours, "SCALE", (scale, scale))
    fixed = iter([math.radians(angle), scale, shift[0] / SIDE, shift[1] / SIDE])
    monkeypatch.setattr(ours, "_uniform", lambda count, low, high, draw: torch.full((count,), next(fixed)))
    found = warp(crops[:8], affine(8, generator()))
    expected = reference.affine(
        crops[:8], angle, list(shift), scale, [0.0, 0.0], interpolation=InterpolationMode.BILINEAR
    )
    inside = slice(3, -3)  # at the border torchvision blends the fill in another way
    assert (found - expected)[:, :, inside, inside].abs().max() < 1e-3


def test_geometric_has_the_statistics_of_the_reference(crops):
    torch.manual_seed(0)
    turn = RandomAffine(180, translate=(0.1, 0.1), scale=(0.9, 1.1), interpolation=InterpolationMode.BILINEAR)
    expected = torch.stack([turn(image) for image in crops])
    found = warp(crops, affine(len(crops), generator()))
    assert found.mean() == pytest.approx(expected.mean().item(), rel=0.02)
    assert found.var() == pytest.approx(expected.var().item(), rel=0.04)
    assert (found > 0).float().mean() == pytest.approx((expected > 0).float().mean().item(), rel=0.03)
    assert (found.mean(dim=0) - expected.mean(dim=0)).abs().mean() < 0.02  # where the blobs end up


@pytest.mark.parametrize("sigma", [0.1, 0.3, 0.5])
def test_a_blurred_image_is_torchvisions(crops, monkeypatch, sigma):
    monkeypatch.setattr(ours, "BLUR_SHARE", 1.0)
    monkeypatch.setattr(ours, "BLUR_SIGMA", (sigma, sigma))
    expected = GaussianBlur(3, (sigma, sigma))(crops)
    assert (blur(crops, generator()) - expected).abs().max() < 1e-5


def test_three_in_ten_images_are_blurred(crops):
    changed = (blur(crops, generator()) - crops).abs().amax(dim=(1, 2, 3)) > 0
    # a sigma under .17 (of .1 to .5) leaves float32 pixels as they are, to the sixth digit
    assert changed.float().mean() == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize(
    ("change", "expected", "factors"),
    [
        (ours.brightness, reference.adjust_brightness, (0.7, 1.0, 1.3)),
        (ours.contrast, reference.adjust_contrast, (0.7, 1.0, 1.3)),
        (ours.saturation, reference.adjust_saturation, (0.8, 1.0, 1.2)),
        (ours.hue, reference.adjust_hue, (-0.05, 0.0, 0.05)),
    ],
)
def test_each_colour_change_is_torchvisions(crops, change, expected, factors):
    for factor in factors:
        amount = torch.full((len(crops), 1, 1, 1), factor)
        assert (change(crops, amount) - expected(crops, factor)).abs().max() < 1e-5


def test_jitter_has_the_statistics_of_the_reference(crops):
    torch.manual_seed(0)
    colour = ColorJitter(0.3, 0.3, 0.2, 0.05)
    expected = torch.stack([colour(image) for image in crops])
    found = jitter(crops, generator())
    for channel in range(3):
        assert found[:, channel].mean() == pytest.approx(expected[:, channel].mean().item(), rel=0.03)
        assert found[:, channel].var() == pytest.approx(expected[:, channel].var().item(), rel=0.06)
    # how much single images change, not only their average
    spread, wanted = ((result - crops).mean(dim=(1, 2, 3)).std() for result in (found, expected))
    assert spread == pytest.approx(wanted.item(), rel=0.15)
