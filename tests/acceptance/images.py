"""Profile ``images``: EUR, approximate prices of a dozen models and twenty flat operations."""

from functools import partial

from tests.acceptance.figures import Figure

_image = partial(Figure, profile="images", per="image")

# The listed price of one image at 1K with its range, in EUR.
PER_IMAGE = {
    "flux-1-schnell": ("0.004", "0.003", "0.005"),
    "sdxl": ("0.005", "0.004", "0.006"),
    "z-image-turbo": ("0.006", "0.005", "0.007"),
    "ideogram-v3-turbo": ("0.03", "0.028", "0.032"),
    "gemini-2-5-flash-image": ("0.039", "0.036", "0.042"),
    "seedream-4-5": ("0.04", "0.034", "0.046"),
    "recraft-v3": ("0.04", "0.038", "0.044"),
    "imagen-4-ultra": ("0.06", "0.055", "0.066"),
    "nano-banana-pro": ("0.14", "0.12", "0.16"),
}
BUDGET = ("flux-1-schnell", "sdxl", "z-image-turbo")


def _range(low: str, high: str, per: str) -> str:
    return f"≈ approximately {low}–€{high} / {per}"


_pro = partial(_image, model="nano-banana-pro")
_dev = partial(
    _image, model="flux-1-dev", price="0.025", per="megapixel", shown=_range("0.022", "0.03", "megapixel")
)
_flux = partial(
    _image, model="flux-2-pro", price="0.045", per="megapixel", shown=_range("0.04", "0.055", "megapixel")
)
_gpt = partial(
    _image, model="gpt-image-1-5", price="0.00004", per="token", shown=_range("0.00003", "0.00005", "token")
)

GENERATED = [
    *[
        _image(model=model, cost=price, low=low, high=high, price=price, shown=_range(low, high, "image"))
        for model, (price, low, high) in PER_IMAGE.items()
    ],
    _pro(parameters={"resolution": "2K"}, cost="0.21", option="2K", price="1.5", shown="2K × 1.5"),
    _pro(parameters={"resolution": "4K", "count": 3}, cost="0.84", option="4K", price="2", shown="4K × 2"),
    _dev(cost="0.025", low="0.022", high="0.03"),
    _dev(parameters={"resolution": "2K", "count": 3}, cost="0.3", low="0.264", high="0.36"),
    _flux(cost="0.045", low="0.04", high="0.055"),
    _flux(parameters={"resolution": "4K"}, cost="0.72", low="0.64", high="0.88"),
    _flux(parameters={"megapixels": 1.37}, cost="0.06165", low="0.0548", high="0.07535"),
    _gpt(cost="0.044", low="0.033", high="0.055"),
    _gpt(parameters={"tokens": 1237}, cost="0.04948", low="0.03711", high="0.06185"),
]

PROCESSING = {
    "resize": "0.001",
    "crop": "0.001",
    "rotate": "0.001",
    "flip": "0.001",
    "convert": "0.001",
    "compress": "0.002",
    "thumbnail": "0.001",
    "grayscale": "0.001",
    "adjust-colors": "0.002",
    "blur": "0.001",
    "sharpen": "0.002",
    "denoise": "0.004",
    "pad": "0.001",
    "round-corners": "0.001",
    "watermark": "0.002",
    "strip-metadata": "0.001",
    "auto-orient": "0.001",
    "background-removal": "0.01",
    "upscale": "0.02",
    "vectorize": "0.025",
}

PROCESSED = [
    Figure(
        profile="images",
        model="processing",
        operation=operation,
        cost=price,
        price=price,
        shown=f"€{price}",
    )
    for operation, price in PROCESSING.items()
]

FIGURES = [*GENERATED, *PROCESSED]
