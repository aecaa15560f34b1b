"""Colours: reading ``#rrggbb``, mixing, and an ink that can be read on a ground."""

from PIL import Image, ImageDraw, ImageFilter, ImageOps

Color = tuple[int, int, int]

WHITE: Color = (255, 255, 255)
NIGHT: Color = (18, 18, 24)


def from_hex(text: str) -> Color:
    """``text`` is ``#rrggbb``, already checked."""
    return (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16))


def mix(first: Color, second: Color, share: float) -> Color:
    """``share`` of ``second`` (0 to 1), the rest ``first``."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return (red, green, blue)


def luminance(color: Color) -> float:
    """Relative luminance of WCAG 2, 0 (black) to 1 (white)."""

    def linear(channel: int) -> float:
        value = channel / 255
        return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)

    red, green, blue = (linear(channel) for channel in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ink_on(ground: Color) -> Color:
    """White or near-black, whichever has the greater contrast on ``ground``."""
    light = luminance(ground)
    return WHITE if 1.05 / (light + 0.05) >= (light + 0.05) / (luminance(NIGHT) + 0.05) else NIGHT


def gradient(size: tuple[int, int], top: Color, bottom: Color) -> Image.Image:
    """From ``top`` down to ``bottom``."""
    ramp = Image.linear_gradient("L").resize(size, Image.Resampling.BILINEAR)
    return ImageOps.colorize(ramp, top, bottom)


def glow(
    picture: Image.Image, center: tuple[float, float], radius: float, color: Color, strength: float
) -> None:
    """Lay a soft round light on ``picture``; ``center`` and ``radius`` in shares of the width.

    Drawn small and enlarged: a wide blur at full size would cost a hundred times as much.
    """
    width, height = picture.size
    scale = 90 / width
    small = (90, max(1, round(height * scale)))
    mask = Image.new("L", small, 0)
    x, y, r = center[0] * 90, center[1] * 90, radius * 90
    ImageDraw.Draw(mask).ellipse((x - r, y - r, x + r, y + r), fill=round(255 * strength))
    mask = mask.filter(ImageFilter.GaussianBlur(r * 0.55)).resize(picture.size, Image.Resampling.BICUBIC)
    picture.paste(color, (0, 0, width, height), mask)
