"""Advertisements (profile ``ads``): ``static`` is a picture in two formats, ``full`` adds animations."""

import io
import re

from PIL import Image

from examples.studio.art import ads, colors
from examples.studio.fields import Fields, parse
from examples.studio.jobs import Delivered, Job, Made, Order
from examples.studio.simulation import SIMULATIONS, simulate

PRODUCTS = ("static", "full")
# The animation is a preview in two thirds of the size: a tenth of a second a frame on a small machine.
_ANIMATED = tuple((width * 2 // 3, height * 2 // 3) for width, height in (ads.VERTICAL, ads.SQUARE))
_DEFAULT_COLORS = ("#3b2a86", "#ffb347")


def read(body: bytes) -> Order:
    """Raises ``Refused`` (422)."""
    fields = Fields(parse(body))
    product = fields.choice("product", PRODUCTS)
    headline = fields.text("headline", longest=120, default="")
    text = fields.text("text", longest=280, default="")
    if not headline and not text:
        fields.wrong("headline", "is required (or send text alone).")
    ground, accent = fields.colors("colors", _DEFAULT_COLORS)
    request: dict[str, object] = {
        "headline": headline or text,
        "text": text if headline else "",
        "cta": fields.text("cta", longest=28, default="Learn more"),
        "brand": fields.text("brand", longest=40, default=""),
        "ground": ground,
        "accent": accent,
        "simulate": fields.choice("simulate", SIMULATIONS, default="none"),
    }
    fields.finish()
    return Order(kind="ad", model=product, operation="generate", parameters={}, request=request)


def make(job: Job) -> Delivered:
    simulate(job)
    words = _copy(job.request)
    files = [_png(ads.still(words, size)) for size in (ads.VERTICAL, ads.SQUARE)]
    if job.model == "full":
        files += [_animation(words, size) for size in _ANIMATED]
    return Delivered(tuple(files), outputs={})


def _copy(request: dict[str, object]) -> ads.Copy:
    def one_line(name: str) -> str:
        return re.sub(r"\s+", " ", str(request[name]))

    return ads.Copy(
        headline=str(request["headline"]),
        text=str(request["text"]),
        call_to_action=one_line("cta"),
        brand=one_line("brand"),
        background=colors.from_hex(str(request["ground"])),
        accent=colors.from_hex(str(request["accent"])),
    )


def _png(picture: Image.Image) -> Made:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=4)
    return Made("png", "image/png", picture.width, picture.height, buffer.getvalue())


def _animation(words: ads.Copy, size: tuple[int, int]) -> Made:
    frames = ads.animation(words, size)
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=frames[1:],
        duration=ads.FRAME_MS,
        loop=0,
        quality=75,
        method=0,
    )
    return Made("webp", "image/webp", *size, buffer.getvalue())
