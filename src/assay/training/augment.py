"""Augmentation of a whole batch at once, by the definitions of torchvision's per-image transforms.

A batch is (N, H, W, 3) RGB uint8, before and after. Every image draws its own parameters from the generator
that is passed in, so the same generator state gives the same batch.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

Augmentation = Literal["none", "geometric", "enhanced"]

# The experiments log's two recipes (document 004, sets 1 and 4; values from its configuration files)
FLIP = 0.5
TRANSLATE = 0.1  # of the side
SCALE = (0.9, 1.1)
BLUR_SHARE, BLUR_SIGMA = 0.3, (0.1, 0.5)  # of images; pixels. Stands for the conveyor's motion blur
BRIGHTNESS = CONTRAST = 0.3
SATURATION = 0.2
HUE = 0.05  # of the full circle

GREY = (0.2989, 0.587, 0.114)  # ITU-R 601-2 luma, as torchvision rounds it


def augment(images: Tensor, kind: Augmentation, generator: Generator) -> Tensor:
    """Augment a (N, H, W, 3) uint8 batch; the result has the same shape and type.

    "geometric": flips, rotation by any angle, translation and scale, black where the image does not reach.
    "enhanced": the same, then Gaussian blur for some images and colour jitter for all.
    The generator must be on the CPU; images may be elsewhere.
    """
    if kind == "none":
        return images
    pixels = images.permute(0, 3, 1, 2).contiguous().float().div_(255)  # planes: faster to mix than pixels
    pixels = warp(pixels, affine(len(images), generator))
    if kind == "enhanced":
        pixels = jitter(blur(pixels, generator), generator)
    return (pixels * 255).round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def affine(count: int, generator: Generator) -> Tensor:
    """Draw (count, 2, 3) matrices from output to input coordinates, both in [-1, 1] across the image.

    An image is flipped, turned and scaled about its centre, then moved: torchvision's RandomAffine after its
    flips, so that one resampling does for all of them.
    """
    angle = _uniform(count, -math.pi, math.pi, generator)
    scale = _uniform(count, *SCALE, generator)
    shift = torch.stack([_uniform(count, -TRANSLATE, TRANSLATE, generator) for _ in "xy"], dim=1) * 2
    flip = 1 - 2 * (torch.rand(count, 2, generator=generator) < FLIP).float()
    cos, sin = angle.cos() / scale, angle.sin() / scale
    turn_back = torch.stack([torch.stack([cos, sin], 1), torch.stack([-sin, cos], 1)], 1)
    inverse = flip[:, :, None] * turn_back
    return torch.cat([inverse, -inverse @ shift[:, :, None]], dim=2)


def warp(pixels: Tensor, matrices: Tensor) -> Tensor:
    """Resample (N, 3, H, W) floats of square images through `affine` matrices, bilinear, black outside."""
    grid = F.affine_grid(matrices.to(pixels.device), list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def blur(pixels: Tensor, generator: Generator) -> Tensor:
    """Blur a share of (N, 3, H, W) images with a three-tap Gaussian, edges reflected: GaussianBlur(3)."""
    count = len(pixels)
    sigma = _uniform(count, *BLUR_SIGMA, generator)
    chosen = torch.rand(count, generator=generator) < BLUR_SHARE
    tap = torch.exp(-0.5 / sigma**2)
    side = torch.where(chosen, tap / (1 + 2 * tap), 0).to(pixels.device).view(-1, 1, 1, 1)
    padded = F.pad(pixels, (1, 1, 1, 1), mode="reflect")
    rows = padded[..., 1:-1] * (1 - 2 * side) + (padded[..., :-2] + padded[..., 2:]) * side
    return rows[:, :, 1:-1] * (1 - 2 * side) + (rows[:, :, :-2] + rows[:, :, 2:]) * side


def jitter(pixels: Tensor, generator: Generator) -> Tensor:
    """Vary brightness, contrast, saturation and hue of (N, 3, H, W) images in [0, 1], in random order.

    As ColorJitter defines them, each image with its own order: it matters because every step clips to [0, 1].
    """
    count = len(pixels)
    steps: list[tuple[Callable[[Tensor, Tensor], Tensor], Tensor]] = [
        (brightness, _uniform(count, 1 - BRIGHTNESS, 1 + BRIGHTNESS, generator)),
        (contrast, _uniform(count, 1 - CONTRAST, 1 + CONTRAST, generator)),
        (saturation, _uniform(count, 1 - SATURATION, 1 + SATURATION, generator)),
        (hue, _uniform(count, -HUE, HUE, generator)),
    ]
    order = torch.rand(count, len(steps), generator=generator).argsort(dim=1)
    result = pixels.clone()
    for place in range(len(steps)):
        for number, (change, amount) in enumerate(steps):
            rows = (order[:, place] == number).nonzero().flatten()
            if len(rows):
                factor = amount[rows].to(pixels.device).view(-1, 1, 1, 1)
                rows = rows.to(pixels.device)
                result[rows] = change(result[rows], factor)
    return result


def brightness(pixels: Tensor, factor: Tensor) -> Tensor:
    """Blend with black."""
    return (pixels * factor).clamp_(0, 1)


def contrast(pixels: Tensor, factor: Tensor) -> Tensor:
    """Blend with the image's mean grey; this lifts a black background a little, as torchvision's does."""
    mean = _grey(pixels).mean(dim=(2, 3), keepdim=True)
    return (pixels * factor + mean * (1 - factor)).clamp_(0, 1)


def saturation(pixels: Tensor, factor: Tensor) -> Tensor:
    """Blend with the image's greys."""
    return (pixels * factor + _grey(pixels) * (1 - factor)).clamp_(0, 1)


def hue(pixels: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue by a part of the full circle, through HSV."""
    red, green, blue = pixels.split(1, dim=1)
    value = torch.maximum(torch.maximum(red, green), blue)
    spread = value - torch.minimum(torch.minimum(red, green), blue)
    divisor = torch.where(spread == 0, 1, spread)  # grey has no hue: any will do, its spread is 0
    sector = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    # HSV to RGB in one formula, per channel: k counts sectors of 60 degrees from the channel's own dip
    k = (pixels.new_tensor([5, 3, 1]).view(1, 3, 1, 1) + sector + 6 * turn) % 6
    return value - spread * torch.minimum(k, 4 - k).clamp_(0, 1)


def _grey(pixels: Tensor) -> Tensor:
    return (pixels * pixels.new_tensor(GREY).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def _uniform(count: int, low: float, high: float, generator: Generator) -> Tensor:
    return torch.empty(count).uniform_(low, high, generator=generator)
