"""A picture for a prompt: a landscape of light and hills, the same one every time for the same words."""

import hashlib
import math
import random

from PIL import Image, ImageDraw

from examples.studio.art import colors
from examples.studio.art.colors import Color

LONG_SIDE = {"1K": 1024, "2K": 2048, "4K": 4096}
RATIOS = {"1:1": (1, 1), "4:5": (4, 5), "9:16": (9, 16), "16:9": (16, 9)}
# Drawn at most this large and then enlarged: shapes are soft, and the work stays small.
_DRAWN_SIDE = 1280
_HUES: tuple[tuple[Color, Color, Color], ...] = (
    ((255, 176, 122), (94, 53, 119), (23, 20, 56)),
    ((250, 214, 165), (88, 140, 150), (16, 42, 67)),
    ((178, 225, 255), (72, 118, 214), (14, 25, 72)),
    ((255, 205, 210), (191, 76, 109), (44, 13, 48)),
    ((214, 245, 208), (46, 134, 104), (8, 43, 47)),
    ((255, 231, 150), (222, 110, 58), (61, 21, 31)),
)


def pixel_size(resolution: str, ratio: str) -> tuple[int, int]:
    """The size in pixels; ``resolution`` names the long side."""
    wide, high = RATIOS[ratio]
    longest = LONG_SIDE[resolution]
    return (longest * wide // max(wide, high), longest * high // max(wide, high))


def picture(prompt: str, size: tuple[int, int], *, variant: int = 0, phase: float = 0.0) -> Image.Image:
    """RGB, exactly ``size``. ``variant`` gives another one for the prompt; ``phase`` (0 to 1) moves it."""
    seed = hashlib.sha256(f"{prompt}\x00{variant}".encode()).digest()
    chance = random.Random(seed)  # noqa: S311  (a picture's seed, not a secret)
    shrink = min(1.0, _DRAWN_SIDE / max(size))
    drawn = (max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink)))
    sky, middle, deep = chance.choice(_HUES)
    canvas = colors.gradient(drawn, middle, sky)
    _sun(canvas, chance, sky, phase)
    for layer in range(5):
        _hill(canvas, chance, colors.mix(middle, deep, (layer + 1) / 5), layer, phase)
    return canvas if drawn == size else canvas.resize(size, Image.Resampling.LANCZOS)


def _sun(canvas: Image.Image, chance: random.Random, sky: Color, phase: float) -> None:
    width, height = canvas.size
    x = chance.uniform(0.25, 0.75)
    y = chance.uniform(0.22, 0.4) * height / width - 0.05 * math.sin(2 * math.pi * phase)
    radius = chance.uniform(0.07, 0.12)
    light = colors.mix(sky, colors.WHITE, 0.6)
    colors.glow(canvas, (x, y), radius * 3.2, light, 0.7)
    box = ((x - radius) * width, (y - radius) * width, (x + radius) * width, (y + radius) * width)
    ImageDraw.Draw(canvas).ellipse(box, fill=light)


def _hill(canvas: Image.Image, chance: random.Random, color: Color, layer: int, phase: float) -> None:
    """One ridge: a sum of three waves, nearer ridges lower and darker."""
    width, height = canvas.size
    base = height * (0.5 + 0.11 * layer + chance.uniform(-0.02, 0.02))
    waves = [
        (
            chance.uniform(0.02, 0.06) * height / n,
            n * chance.uniform(0.7, 1.6),
            chance.uniform(0, 2 * math.pi),
        )
        for n in (1, 2, 4)
    ]
    shift = 2 * math.pi * phase * (layer + 1) * 0.08
    step = max(1, width // 320)
    ridge = [
        (x, base + sum(a * math.sin(2 * math.pi * f * x / width + p + shift) for a, f, p in waves))
        for x in range(0, width + step, step)
    ]
    ImageDraw.Draw(canvas).polygon([*ridge, (width, height), (0, height)], fill=color)
