"""An advertisement: a lit gradient, a headline set as large as fits, a line of text, a call to action."""

import math
from dataclasses import dataclass

from PIL import Image, ImageDraw

from examples.studio.art import colors, lettering
from examples.studio.art.colors import Color

VERTICAL = (1080, 1920)
SQUARE = (1080, 1350)
FRAMES = 20
FRAME_MS = 90


@dataclass(frozen=True)
class Copy:
    """The words and colours of one advertisement. Empty text is left out."""

    headline: str
    text: str
    call_to_action: str
    brand: str
    background: Color
    accent: Color


def still(copy: Copy, size: tuple[int, int]) -> Image.Image:
    """The finished advertisement, RGB, exactly ``size`` pixels."""
    return _compose(copy, size, phase=0.0, entered=1.0)


def animation(copy: Copy, size: tuple[int, int]) -> list[Image.Image]:
    """``FRAMES`` pictures of ``FRAME_MS`` each: the words come in while the light moves."""
    return [
        _compose(copy, size, phase=index / FRAMES, entered=min(1.0, (index + 2) / (FRAMES * 0.4)))
        for index in range(FRAMES)
    ]


def _compose(copy: Copy, size: tuple[int, int], *, phase: float, entered: float) -> Image.Image:
    picture = _ground(copy, size, phase)
    layer = Image.new("RGBA", size, (0, 0, 0, 0))
    _write(copy, layer, entered)
    picture.paste(layer, (0, 0), layer)
    return picture


def _ground(copy: Copy, size: tuple[int, int], phase: float) -> Image.Image:
    width, height = size
    tall = height / width
    light_ground = colors.luminance(copy.background) > 0.4
    picture = colors.gradient(size, copy.background, _deep(copy))
    turn = phase * 2 * math.pi
    sway, rise = 0.06 * math.sin(turn), 0.05 * (1 - math.cos(turn))
    light = colors.mix(copy.background, colors.WHITE, 0.35)
    colors.glow(picture, (0.9 + sway, tall * 0.12 + rise), 0.55, copy.accent, 0.75)
    colors.glow(picture, (0.05 - sway, tall * 0.5 - rise), 0.42, light, 0.35)
    colors.glow(picture, (0.75 - sway, tall * 0.98), 0.5, copy.accent, 0.12 if light_ground else 0.4)
    _rings(picture, copy.accent, phase)
    return picture


def _deep(copy: Copy) -> Color:
    """The lower end of the gradient. A light ground takes on the accent: darkening would turn it grey."""
    if colors.luminance(copy.background) > 0.4:
        return colors.mix(copy.background, copy.accent, 0.16)
    return colors.mix(copy.background, colors.NIGHT, 0.55)


def _rings(picture: Image.Image, accent: Color, phase: float) -> None:
    """Thin circles in the corner: something sharp beside the soft light."""
    width, _ = picture.size
    layer = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    x, y = width * 0.9, width * 0.22
    for step in range(5):
        radius = width * (0.10 + 0.075 * step + 0.012 * math.sin(2 * math.pi * (phase + step / 5)))
        box = (x - radius, y - radius, x + radius, y + radius)
        draw.ellipse(
            box, outline=(*colors.mix(accent, colors.WHITE, 0.55), 90 - step * 14), width=max(2, width // 360)
        )
    picture.paste(layer, (0, 0), layer)


def _write(copy: Copy, layer: Image.Image, entered: float) -> None:
    """Set the words from the bottom up: button, text, headline; the brand stays at the top."""
    width, height = layer.size
    margin = round(width * 0.085)
    inner = width - 2 * margin
    ink = colors.ink_on(colors.mix(copy.background, _deep(copy), 0.7))
    alpha = round(255 * entered)
    slide = round((1 - entered) * width * 0.05)
    draw = ImageDraw.Draw(layer)
    if copy.brand:
        _brand(draw, copy, ink, margin, inner)
    bottom = height - margin
    if copy.call_to_action:
        bottom = _button(draw, copy, margin, bottom, inner) - round(width * 0.075)
    if copy.text:
        body = lettering.fit(
            copy.text,
            width=inner,
            height=round(height * 0.16),
            largest=width // 22,
            smallest=width // 40,
            bold=False,
        )
        bottom -= body.height
        draw.multiline_text(
            (margin, bottom + slide),
            body.text,
            font=body.font,
            fill=(*ink, round(alpha * 0.86)),
            spacing=body.spacing,
        )
        bottom -= round(width * 0.05)
    headline = lettering.fit(
        copy.headline,
        width=inner,
        height=round(height * 0.42),
        largest=width // 8,
        smallest=width // 24,
        bold=True,
    )
    top = bottom - headline.height
    draw.multiline_text(
        (margin, top + slide), headline.text, font=headline.font, fill=(*ink, alpha), spacing=headline.spacing
    )
    rule = (
        margin,
        top - round(width * 0.06),
        margin + round(width * 0.13 * entered),
        top - round(width * 0.048),
    )
    draw.rounded_rectangle(rule, radius=width // 160, fill=(*copy.accent, 255))


def _brand(draw: ImageDraw.ImageDraw, copy: Copy, ink: Color, margin: int, inner: int) -> None:
    size = inner // 24
    setting = lettering.fit(
        copy.brand.upper(), width=inner * 2 // 3, height=size, largest=size, smallest=size // 2, bold=True
    )
    draw.ellipse((margin, margin, margin + setting.size, margin + setting.size), fill=(*copy.accent, 255))
    draw.text(
        (margin + round(setting.size * 1.5), margin), setting.lines[0], font=setting.font, fill=(*ink, 235)
    )


def _button(draw: ImageDraw.ImageDraw, copy: Copy, left: int, bottom: int, inner: int) -> int:
    """Draw the call to action with its lower edge at ``bottom``; returns its upper edge."""
    size = inner // 22
    label = lettering.fit(
        copy.call_to_action, width=inner - 4 * size, height=size, largest=size, smallest=size // 2, bold=True
    )
    text_width = lettering.line_width(label.lines[0], label.font)
    high = round(size * 2.5)
    box = (left, bottom - high, left + text_width + round(size * 3.2), bottom)
    draw.rounded_rectangle(box, radius=high // 2, fill=(*copy.accent, 255))
    center = ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)
    draw.text(center, label.lines[0], font=label.font, fill=(*colors.ink_on(copy.accent), 255), anchor="mm")
    return bottom - high
