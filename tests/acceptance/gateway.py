"""Profile ``gateway``: USD, approximate ahead, charged by outputs after the run."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from tests.acceptance.figures import Figure

_model = partial(Figure, profile="gateway")
_flux = partial(
    _model,
    model="flux-2-pro",
    per="megapixel",
    price="0.03",
    shown="≈ approximately 0.03–$0.045 / megapixel",
)
_veo = partial(_model, model="veo-3-1", per="second")
_wan = partial(_model, model="wan-2-5", per="second")
_kling = partial(
    _model,
    model="kling-2-5-turbo",
    per="second",
    price="0.07",
    shown="≈ approximately 0.065–$0.075 / second",
)
_banana = partial(_model, model="nano-banana-pro", per="image")
_gpt = partial(
    _model, model="gpt-image-1-5", per="token", price="0.000032", shown="0.000024–$0.00004 / token"
)

FIGURES = [
    _flux(cost="0.03", low="0.03", high="0.045"),
    _flux(parameters={"resolution": "4K"}, cost="0.48", low="0.48", high="0.72"),
    _flux(
        parameters={"format": "tiff", "count": 2},
        cost="0.072",
        option="TIFF output",
        price="1.2",
        shown="TIFF output × 1.2",
    ),
    _model(
        model="flux-2-pro",
        operation="edit",
        per="megapixel",
        cost="0.045",
        price="0.045",
        shown="≈ approximately 0.045–$0.06 / megapixel",
    ),
    _model(
        model="seedream-4-5",
        per="image",
        cost="0.04",
        low="0.036",
        high="0.044",
        price="0.04",
        shown="≈ approximately 0.036–$0.044 / image",
    ),
    _model(
        model="seedream-4-5",
        per="image",
        parameters={"resolution": "4K", "count": 3},
        cost="0.24",
        option="4K output",
        price="2",
        shown="4K output × 2",
    ),
    _banana(cost="0.134", low="0.12", high="0.15", option="1K or 2K", price="0.134", shown="1K or 2K 0.134"),
    _banana(parameters={"resolution": "4K"}, cost="0.24", option="4K", price="0.24", shown="4K 0.24"),
    _gpt(cost="0.0352", low="0.0264", high="0.044"),
    _gpt(parameters={"tokens": 777}, cost="0.024864", low="0.018648", high="0.03108"),
    _model(
        model="clarity-upscaler",
        operation="upscale",
        per="megapixel",
        cost="0.192",
        price="0.012",
        shown="≈ approximately 0.01–$0.015 / megapixel",
    ),
    _veo(cost="1.6", option="720p or 1080p", price="0.2", shown="720p or 1080p 0.20"),
    _veo(
        parameters={"seconds": 7, "resolution": "4K"}, cost="2.8", option="4K", price="0.4", shown="4K 0.40"
    ),
    _veo(parameters={"audio": True}, cost="2.4", option="with audio", price="1.5", shown="with audio × 1.5"),
    _kling(cost="0.35", low="0.325", high="0.375"),
    _kling(parameters={"seconds": 7}, cost="0.49", low="0.455", high="0.525"),
    _wan(parameters={"resolution": "480p"}, cost="0.25", option="480p", price="0.05", shown="480p 0.05"),
    _wan(cost="0.5", option="720p", price="0.1", shown="720p 0.10"),
    _wan(
        parameters={"resolution": "1080p", "seconds": 10},
        cost="1.5",
        option="1080p",
        price="0.15",
        shown="1080p 0.15",
    ),
]

# What was asked for, what came back, and what that costs.
DELIVERED: list[tuple[str, Mapping[str, Any], Mapping[str, Any], str]] = [
    ("kling-2-5-turbo", {"seconds": 10}, {"seconds": 6}, "0.42"),
    ("kling-2-5-turbo", {"seconds": 10}, {"seconds": 6, "format": "mov"}, "0.525"),
    ("wan-2-5", {"resolution": "1080p", "seconds": 4}, {"resolution": "720p"}, "0.4"),
    ("veo-3-1", {"audio": True}, {"seconds": 8}, "2.4"),
    ("flux-2-pro", {"count": 2}, {"megapixels": 1, "count": 1}, "0.03"),
    ("flux-2-pro", {"resolution": "4K"}, {"resolution": "2K"}, "0.12"),
    ("gpt-image-1-5", {}, {"tokens": 1201}, "0.038432"),
    ("gpt-image-1-5", {}, {"tokens": 10}, "0.001"),
    ("seedream-4-5", {"count": 4}, {"count": 0}, "0"),
]
