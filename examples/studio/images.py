"""Images and short videos from a prompt: a hold for the estimate, settled at what the work really cost."""

import hashlib
import io
from decimal import Decimal

from PIL import Image

from examples.studio.art import scenes
from examples.studio.fields import Fields, parse
from examples.studio.jobs import Delivered, Job, Made, Order
from examples.studio.simulation import SIMULATIONS, simulate

FORMATS = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
VIDEO_RESOLUTIONS = {"720p": (360, 640), "1080p": (480, 854), "2K": (480, 854), "4K": (480, 854)}
_FRAMES_PER_SECOND = 4


def read(body: bytes) -> tuple[Order, bool]:
    """The order, and whether the caller wants to wait for the result. Raises ``Refused`` (422)."""
    fields = Fields(parse(body))
    model = fields.text("model", longest=80)
    prompt = fields.text("prompt", longest=2000)
    resolution = fields.choice("resolution", tuple(scenes.LONG_SIDE), default="1K")
    count = fields.whole("count", least=1, most=4, default=1)
    request: dict[str, object] = {
        "prompt": prompt,
        "resolution": resolution,
        "count": count,
        "ratio": fields.choice("aspect_ratio", tuple(scenes.RATIOS), default="1:1"),
        "format": fields.choice("format", tuple(FORMATS), default="png"),
        "simulate": fields.choice("simulate", SIMULATIONS, default="none"),
    }
    wait = fields.flag("wait", default=True)
    fields.finish()
    parameters: dict[str, object] = {"count": count, "resolution": resolution}
    return Order("image", model, "generate", parameters, request), wait


def make(job: Job) -> Delivered:
    simulate(job)
    request = job.request
    prompt, resolution, name = str(request["prompt"]), str(request["resolution"]), str(request["format"])
    count = int(str(request["count"]))
    delivered = max(1, count // 2) if request["simulate"] == "partial" else count
    size = scenes.pixel_size(resolution, str(request["ratio"]))
    files = tuple(
        encode(scenes.picture(f"{job.model} {prompt}", size, variant=variant), name)
        for variant in range(delivered)
    )
    share = _share_of_list_price(prompt) * delivered / count
    return Delivered(files, {"count": delivered, "resolution": resolution}, actual_share=share)


def read_video(body: bytes) -> Order:
    """Raises ``Refused`` (422)."""
    fields = Fields(parse(body))
    model = fields.text("model", longest=80)
    seconds = fields.whole("seconds", least=1, most=20, default=5)
    resolution = fields.choice("resolution", tuple(VIDEO_RESOLUTIONS), default="720p")
    request: dict[str, object] = {
        "prompt": fields.text("prompt", longest=2000),
        "seconds": seconds,
        "resolution": resolution,
        "simulate": fields.choice("simulate", SIMULATIONS, default="none"),
    }
    operation = fields.text("operation", longest=80, default="generate")
    fields.finish()
    return Order("video", model, operation, {"seconds": seconds, "resolution": resolution}, request)


def make_video(job: Job) -> Delivered:
    """An animated preview in a small size: the example shows billing, not a video model."""
    simulate(job)
    resolution, seconds = str(job.request["resolution"]), int(str(job.request["seconds"]))
    frames_wanted = min(seconds, 6) * _FRAMES_PER_SECOND
    size = VIDEO_RESOLUTIONS[resolution]
    frames = [
        scenes.picture(f"{job.model} {job.request['prompt']}", size, phase=n / frames_wanted)
        for n in range(frames_wanted)
    ]
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        "WEBP",
        save_all=True,
        append_images=frames[1:],
        duration=seconds * 1000 // frames_wanted,
        loop=0,
        quality=70,
        method=0,
    )
    made = Made("webp", "image/webp", *size, buffer.getvalue())
    return Delivered((made,), {"seconds": seconds, "resolution": resolution})


def encode(picture: Image.Image, name: str, *, quality: int = 88) -> Made:
    """``name`` is one of FORMATS."""
    buffer = io.BytesIO()
    if name == "png":
        picture.save(buffer, "PNG", compress_level=3)
    elif name == "jpg":
        picture.convert("RGB").save(buffer, "JPEG", quality=quality)
    else:
        picture.save(buffer, "WEBP", quality=quality, method=2)
    return Made(name, FORMATS[name], picture.width, picture.height, buffer.getvalue())


def _share_of_list_price(prompt: str) -> Decimal:
    """What this studio's machines needed for the prompt, 80 to 97 % of the list price, the same each time."""
    return Decimal(80 + hashlib.sha256(prompt.encode()).digest()[0] % 18) / 100
