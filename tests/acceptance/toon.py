"""Profile ``toon``: credits per operation and model on a plan, dollars per image without one."""

from functools import partial

from tests.acceptance.figures import Figure

_PICTURES = ("product-enhancement", "fashion-editorial", "relight")
_CREDITS = {"gemini-pro": "3", "nano-banana-2": "2", "seedream-4-5": "1", "seedream-5": "2"}
_WORTH = {"1": "1 credit / image $0.16", "2": "2 credits / image $0.32", "3": "3 credits / image $0.48"}

_planned = partial(Figure, profile="toon", mode="subscription")
_video = partial(_planned, model="gemini-pro")

PLANNED = [
    *[
        _planned(model=model, operation=operation, cost=price, price=price, per="image", shown=_WORTH[price])
        for operation in _PICTURES
        for model, price in _CREDITS.items()
    ],
    _planned(
        model="gemini-pro",
        operation="relight",
        parameters={"count": 13},
        cost="39",
        price="3",
        per="image",
        shown="3 credits / image",
    ),
    _video(operation="video-5s", cost="10", price="10", shown="10 credits $1.60"),
    _video(operation="video-10s", cost="20", price="20", shown="20 credits $3.20"),
]

DASHES = [
    (model, operation)
    for model in ("nano-banana-2", "seedream-4-5", "seedream-5")
    for operation in ("video-5s", "video-10s")
]

# Provider's cost to rate, in USD an image.
DERIVED = {
    "ideogram-v3-turbo": ("0.03", "0.054"),
    "seedream-4-5": ("0.034", "0.061"),
    "nano-banana-2": ("0.04", "0.072"),
    "nano-banana-pro-replicate": ("0.04", "0.072"),
    "seedream-5-lite": ("0.04", "0.072"),
    "seedream-4-0": ("0.04", "0.072"),
    "qwen-image-edit-plus": ("0.04", "0.072"),
    "qwen-image-edit-2511": ("0.04", "0.072"),
    "z-image-turbo": ("0.04", "0.072"),
    "gpt-image-2": ("0.053", "0.095"),
    "flux-2-pro": ("0.06", "0.108"),
    "ideogram-v3": ("0.06", "0.108"),
    "nano-banana-pro": ("0.067", "0.121"),
    "ideogram-v3-quality": ("0.09", "0.162"),
    "midjourney-v7": ("0.18", "0.324"),
}

_metered = partial(Figure, profile="toon", mode="metered", per="image")

METERED = [
    *[
        _metered(model=model, cost=rate, price=rate, shown=f"${rate} / image")
        for model, (_, rate) in DERIVED.items()
    ],
    _metered(model="seedream-4-5", parameters={"count": 7}, cost="0.427", price="0.061", shown="$0.061"),
    _metered(model="nano-banana-pro", parameters={"count": 99}, cost="11.979", price="0.121", shown="$0.121"),
    _metered(model="midjourney-v7", parameters={"count": 3}, cost="0.972", price="0.324", shown="$0.324"),
]

# Price a month in USD, credits, API keys.
PLANS = {
    "free": ("Free", "0", "10", 0),
    "starter": ("Starter", "16", "100", 4),
    "pro": ("Pro", "39", "300", 10),
    "business": ("Business", "79", "700", 20),
}

FIGURES = [*PLANNED, *METERED]
