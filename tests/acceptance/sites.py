"""Profile ``sites``: credits of a monthly budget for images, video, editing and whole sites."""

from functools import partial

from tests.acceptance.figures import Figure

_site = partial(Figure, profile="sites")
_image = partial(_site, per="image")
_LARGE = "2K or 4K output × 2 (Premium)"

_large = partial(_image, option="2K or 4K output", price="2", shown=_LARGE, plan="premium")

IMAGES = [
    _image(
        model="nano-banana-pro", cost="20", price="20", shown="20 credits / image Premium", plan="premium"
    ),
    _image(model="seedream-4-5", cost="18", price="18", shown="18 credits / image"),
    _image(model="gemini-2-5-flash", cost="8", price="8", shown="8 credits / image"),
    _image(model="flux-pro", cost="16", price="16", shown="16 credits / image Pro+", plan="pro"),
    _image(model="flux-schnell", cost="12", price="12", shown="12 credits / image Pro+", plan="pro"),
    _image(
        model="image-tools", operation="edit-variation", cost="12", price="12", shown="12 credits / image"
    ),
    _image(model="seedream-4-5", parameters={"count": 7}, cost="126", price="18", shown="18 credits / image"),
    _large(model="seedream-4-5", parameters={"resolution": "2K"}, cost="36"),
    _large(model="seedream-4-5", parameters={"resolution": "4K", "count": 3}, cost="108"),
    _large(model="nano-banana-pro", parameters={"resolution": "4K"}, cost="40"),
    _large(model="gemini-2-5-flash", parameters={"resolution": "2K", "count": 5}, cost="80"),
    _large(model="flux-pro", parameters={"resolution": "4K"}, cost="32"),
    _large(model="flux-schnell", parameters={"resolution": "2K"}, cost="24"),
    *[
        _image(
            model="image-tools",
            operation="upscale",
            parameters={"factor": factor},
            cost="4",
            price="4",
            shown="4 credits / image",
        )
        for factor in (2, 4)
    ],
    _image(
        model="image-tools", operation="background-removal", cost="4", price="4", shown="4 credits / image"
    ),
]

_veo = partial(_site, model="veo-3-1", per="second")
_standard = partial(_veo, option="standard queue", price="32", shown="standard queue 32")
_relaxed = partial(_veo, option="relaxed queue", price="18.75", shown="relaxed queue ≈ 18.75")
_hd = partial(_veo, option="HD queue 1080p", price="85", shown="HD queue 1080p 85 (Premium)", plan="premium")
_2k = partial(_veo, option="2K", price="64", shown="2K 64 (Premium)", plan="premium")
_4k = partial(_veo, option="4K", price="128", shown="4K 128 (Premium)", plan="premium")

VIDEO = [
    _standard(parameters={"seconds": 8, "resolution": "720p"}, cost="256"),
    _standard(parameters={"seconds": 8, "resolution": "1080p"}, cost="256"),
    _standard(parameters={"seconds": 7}, cost="224"),
    _standard(parameters={"seconds": 4.5}, cost="144"),
    _relaxed(parameters={"seconds": 8, "queue": "relaxed"}, cost="150", low="144", high="153.6"),
    _relaxed(parameters={"seconds": 3, "queue": "relaxed"}, cost="56.25", low="54", high="57.6"),
    _hd(parameters={"seconds": 8, "queue": "hd"}, cost="680"),
    _hd(parameters={"seconds": 5, "queue": "hd", "resolution": "1080p"}, cost="425"),
    _2k(parameters={"seconds": 8, "resolution": "2K"}, cost="512"),
    _4k(parameters={"seconds": 8, "resolution": "4K"}, cost="1024"),
    _4k(parameters={"seconds": 6, "resolution": "4K", "queue": "hd"}, cost="768"),
    _site(
        model="ltx",
        operation="extend",
        cost="60",
        price="15",
        per="second",
        shown="≈ approximately 15 credits / second Pro+",
        plan="pro",
    ),
    _site(
        model="ltx",
        operation="extend",
        parameters={"seconds": 10},
        cost="150",
        price="15",
        per="second",
        shown="15 credits / second Pro+",
        plan="pro",
    ),
]

_assistant = partial(_site, model="assistant")

CHAT = [
    _assistant(operation="chat-edit", cost="0.5", price="0.5", shown="0.5 credits"),
    _assistant(operation="prompt-enhancement", cost="1", price="1", shown="1 credit"),
    _assistant(operation="brainstorm", cost="1", price="1", shown="1 credit"),
    _assistant(
        operation="business-os-chat",
        cost="15",
        price="15",
        per="message",
        shown="15 credits / message Pro+",
        plan="pro",
    ),
    _assistant(
        operation="business-os-chat",
        parameters={"messages": 3},
        cost="45",
        price="15",
        per="message",
        shown="15 credits / message Pro+",
        plan="pro",
    ),
]

FREE_ACTIONS = [
    "inline-text-edit",
    "design-preset",
    "browsing-or-previewing",
    "re-publishing",
    "settings-and-metadata",
    "downloading-html-or-zip",
    "frame-extraction",
]
FREE = [_site(model="site", operation=action, cost="0", price="0", shown="Free") for action in FREE_ACTIONS]

FIGURES = [*IMAGES, *VIDEO, *CHAT, *FREE]
