"""Five operations on an image that was uploaded or made here earlier: resize, crop, rotate, flip, convert."""

import base64
import binascii
import io
from collections.abc import Callable, Mapping
from typing import cast

from PIL import Image, ImageOps

from examples.studio.fields import Fields, parse
from examples.studio.images import FORMATS, encode
from examples.studio.jobs import Delivered, Job, Order, WorkFailed
from examples.studio.problems import invalid_field
from examples.studio.simulation import SIMULATIONS, simulate

MODEL = "processing"
OPERATIONS = ("resize", "crop", "rotate", "flip", "convert")
DIRECTIONS = ("horizontal", "vertical")
_LARGEST_SIDE = 8192
_MOST_PIXELS = 40_000_000
_READ_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")

LoadResult = Callable[[str], bytes]


def read(body: bytes, load_result: LoadResult) -> Order:
    """``load_result`` gives the bytes of one of the caller's results, or raises. Raises ``Refused`` (422)."""
    fields = Fields(parse(body))
    operation = fields.choice("operation", OPERATIONS)
    source = fields.text("source", longest=80, default="")
    image = fields.text("image", longest=17 * 1024 * 1024, default="")
    if bool(source) == bool(image):
        fields.wrong("source", "send either source (the file of an earlier result) or image (base64).")
    request = _PARAMETERS[operation](fields)
    request["simulate"] = fields.choice("simulate", SIMULATIONS, default="none")
    fields.finish()
    content = load_result(source) if source else _decoded(image)
    picture = _open(content)
    if operation == "crop":
        _check_crop(request, picture.size)
    request.setdefault("format", {"JPEG": "jpg", "WEBP": "webp"}.get(picture.format or "", "png"))
    return Order("process", MODEL, operation, {}, request, upload=content)


def make(job: Job) -> Delivered:
    simulate(job)
    if job.upload is None:
        raise WorkFailed("The source image is no longer there.")
    picture = ImageOps.exif_transpose(_open(job.upload))
    if picture.mode not in ("RGB", "RGBA", "L"):
        picture = picture.convert("RGBA")
    numbers = {name: value for name, value in job.request.items() if isinstance(value, int)}
    result = _WORK[job.operation](picture, numbers, str(job.request.get("direction", "")))
    quality = numbers.get("quality", 88)
    return Delivered((encode(result, str(job.request["format"]), quality=quality),), {})


def _resize_parameters(fields: Fields) -> dict[str, object]:
    """One side alone keeps the proportions (0 stands for "by proportion")."""
    width = fields.whole("width", least=1, most=_LARGEST_SIDE, default=0)
    height = fields.whole("height", least=1, most=_LARGEST_SIDE, default=0)
    if not width and not height:
        fields.wrong("width", "width, height or both are required.")
    return {"width": width, "height": height}


def _crop_parameters(fields: Fields) -> dict[str, object]:
    return {
        "x": fields.whole("x", least=0, most=_LARGEST_SIDE, default=0),
        "y": fields.whole("y", least=0, most=_LARGEST_SIDE, default=0),
        "width": fields.whole("width", least=1, most=_LARGEST_SIDE),
        "height": fields.whole("height", least=1, most=_LARGEST_SIDE),
    }


def _rotate_parameters(fields: Fields) -> dict[str, object]:
    return {"degrees": fields.whole("degrees", least=-359, most=359)}


def _flip_parameters(fields: Fields) -> dict[str, object]:
    return {"direction": fields.choice("direction", DIRECTIONS)}


def _convert_parameters(fields: Fields) -> dict[str, object]:
    return {
        "format": fields.choice("format", tuple(FORMATS)),
        "quality": fields.whole("quality", least=1, most=100, default=88),
    }


_PARAMETERS: Mapping[str, Callable[[Fields], dict[str, object]]] = {
    "resize": _resize_parameters,
    "crop": _crop_parameters,
    "rotate": _rotate_parameters,
    "flip": _flip_parameters,
    "convert": _convert_parameters,
}


def _resize(picture: Image.Image, numbers: Mapping[str, int], _: str) -> Image.Image:
    width, height = numbers["width"], numbers["height"]
    if not width:
        width = max(1, round(picture.width * height / picture.height))
    if not height:
        height = max(1, round(picture.height * width / picture.width))
    size = (min(width, _LARGEST_SIDE), min(height, _LARGEST_SIDE))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _crop(picture: Image.Image, numbers: Mapping[str, int], _: str) -> Image.Image:
    x, y = numbers["x"], numbers["y"]
    return picture.crop((x, y, x + numbers["width"], y + numbers["height"]))


def _rotate(picture: Image.Image, numbers: Mapping[str, int], _: str) -> Image.Image:
    """Clockwise; the picture grows so that no corner is lost."""
    return picture.rotate(-numbers["degrees"], Image.Resampling.BICUBIC, expand=True)


def _flip(picture: Image.Image, _: Mapping[str, int], direction: str) -> Image.Image:
    return ImageOps.mirror(picture) if direction == "horizontal" else ImageOps.flip(picture)


def _convert(picture: Image.Image, _: Mapping[str, int], __: str) -> Image.Image:
    return picture


_WORK: Mapping[str, Callable[[Image.Image, Mapping[str, int], str], Image.Image]] = {
    "resize": _resize,
    "crop": _crop,
    "rotate": _rotate,
    "flip": _flip,
    "convert": _convert,
}


def _decoded(image: str) -> bytes:
    try:
        return base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError):
        raise invalid_field("image", "is not base64.") from None


def _open(content: bytes) -> Image.Image:
    """A fully read image of a known format and a bearable size. Raises ``Refused`` (422)."""
    try:
        picture = Image.open(io.BytesIO(content), formats=_READ_FORMATS)
        if picture.width * picture.height > _MOST_PIXELS:
            raise invalid_field("image", f"may have at most {_MOST_PIXELS // 1_000_000} megapixels.")
        picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise invalid_field("image", "cannot be read: send a PNG, JPEG, WebP or GIF.") from None
    return picture


def _check_crop(request: Mapping[str, object], size: tuple[int, int]) -> None:
    x, y, width, height = (cast(int, request[name]) for name in ("x", "y", "width", "height"))
    if x + width > size[0] or y + height > size[1]:
        raise invalid_field("width", f"the cut reaches outside the image, which is {size[0]} × {size[1]}.")
