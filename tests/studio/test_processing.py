"""The five operations, on uploads and on earlier results, checked by their pixels."""

import base64
import io
from typing import Any

import pytest
from PIL import Image

from tests.client.stand_in import OTHER_KEY, StandIn
from tests.studio.running import StudioProcess


def upload(width: int = 60, height: int = 40) -> str:
    """Red on the left half, blue on the right."""
    picture = Image.new("RGB", (width, height), "red")
    picture.paste((0, 0, 255), (width // 2, 0, width, height))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def process(studio: StudioProcess, **fields: Any) -> Image.Image:
    answer = studio.call("POST", "/v1/images/process", {"image": upload(), **fields})
    assert answer.status == 200, answer.body
    return studio.pictures(answer.json)[0]


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"width": 30, "height": 90}, (30, 90)),
        ({"width": 30}, (30, 20)),
        ({"height": 80}, (120, 80)),
    ],
)
def test_resize(studio: StudioProcess, fields: dict[str, int], size: tuple[int, int]) -> None:
    assert process(studio, operation="resize", **fields).size == size


def test_crop_takes_the_part_asked_for(studio: StudioProcess) -> None:
    picture = process(studio, operation="crop", x=30, y=10, width=20, height=20)
    assert picture.size == (20, 20)
    assert picture.convert("RGB").getcolors() == [(400, (0, 0, 255))]


def test_rotate_is_clockwise_and_keeps_every_corner(studio: StudioProcess) -> None:
    picture = process(studio, operation="rotate", degrees=90).convert("RGB")
    assert picture.size == (40, 60)
    assert (picture.getpixel((20, 5)), picture.getpixel((20, 55))) == ((255, 0, 0), (0, 0, 255))


def test_flip(studio: StudioProcess) -> None:
    picture = process(studio, operation="flip", direction="horizontal").convert("RGB")
    assert (picture.getpixel((5, 5)), picture.getpixel((55, 5))) == ((0, 0, 255), (255, 0, 0))


@pytest.mark.parametrize("name", ["jpg", "webp", "png"])
def test_convert(studio: StudioProcess, name: str) -> None:
    assert process(studio, operation="convert", format=name).format == name.upper().replace("JPG", "JPEG")


def test_each_operation_is_billed_to_the_model_processing(studio: StudioProcess, portal: StandIn) -> None:
    answer = studio.call(
        "POST", "/v1/images/process", {"image": upload(), "operation": "flip", "direction": "vertical"}
    )
    job = answer.json
    assert (job["model"], job["operation"], job["metadata"]["cost"]) == ("processing", "flip", "0.04")
    assert portal.charges[job["charge"]]["status"] == "settled"


def test_an_earlier_result_can_be_processed_by_its_owner_only(studio: StudioProcess, portal: StandIn) -> None:
    made = studio.call("POST", "/v1/images/generate", {"model": "m", "prompt": "p"}).json
    body = {"source": made["results"][0]["file"], "operation": "resize", "width": 64}
    answer = studio.call("POST", "/v1/images/process", body)
    assert studio.pictures(answer.json)[0].size == (64, 64)
    assert studio.call("POST", "/v1/images/process", body, key=OTHER_KEY).status == 404


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"operation": "melt"}, "operation"),
        ({"operation": "resize"}, "width"),
        ({"operation": "resize", "width": 0}, "width"),
        ({"operation": "resize", "width": 100_000}, "width"),
        ({"operation": "crop", "x": 50, "width": 20, "height": 20}, "width"),
        ({"operation": "rotate", "degrees": "90"}, "degrees"),
        ({"operation": "rotate", "degrees": True}, "degrees"),
        ({"operation": "flip"}, "direction"),
        ({"operation": "convert", "format": "bmp"}, "format"),
        ({"operation": "flip", "direction": "vertical", "image": "%%%"}, "image"),
        ({"operation": "flip", "direction": "vertical", "image": "aGVsbG8="}, "image"),
        ({"operation": "flip", "direction": "vertical", "image": upload()[:120]}, "image"),
        ({"operation": "flip", "direction": "vertical", "source": "a.png"}, "source"),
    ],
)
def test_bad_input_is_named_and_not_charged(
    studio: StudioProcess, portal: StandIn, fields: dict[str, Any], field: str
) -> None:
    answer = studio.call("POST", "/v1/images/process", {"image": upload(), **fields})
    assert answer.status == 422
    assert field in [error["field"] for error in answer.json["errors"]]
    assert portal.charges == {}
