"""Rendering: one frame for all pages, escaping by default."""

from html import escape
from pathlib import Path

from stripe_simulator.server.messages import Reply

STYLE_PATH = "/assets/hosted.css"
_STYLE = Path(__file__).with_name("hosted.css")
_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors "
    "'none'",
    "referrer-policy": "no-referrer",
}


def page(title: str, body: str, *, status: int = 200) -> Reply:
    """`body` is HTML; `title` is text."""
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · Simulated Stripe</title>
<link rel="stylesheet" href="{STYLE_PATH}">
</head>
<body>
<header class="bar">
<p class="badge"><strong>Simulated Stripe</strong> Test cards only, no money moves.</p>
</header>
<main>{body}</main>
</body>
</html>
"""
    return Reply(status, text.encode(), dict(_HEADERS))


def style() -> Reply:
    return Reply(
        200, _STYLE.read_bytes(), {"content-type": "text/css; charset=utf-8", "cache-control": "max-age=60"}
    )


def redirect(url: str) -> Reply:
    return Reply(303, b"", {"location": url, "cache-control": "no-store", "referrer-policy": "no-referrer"})


def message(title: str, text: str, *, status: int = 200) -> Reply:
    body = f'<section class="card"><h1>{escape(title)}</h1><p>{escape(text)}</p></section>'
    return page(title, body, status=status)


def field(
    name: str,
    label: str,
    value: str = "",
    *,
    kind: str = "text",
    autocomplete: str = "",
    mode: str = "",
    placeholder: str = "",
    required: bool = True,
    error: str | None = None,
) -> str:
    """A labelled input; an error is tied to it for screen readers."""
    attributes = {
        "id": name,
        "name": name,
        "type": kind,
        "value": value,
        "autocomplete": autocomplete,
        "inputmode": mode,
        "placeholder": placeholder,
    }
    shown = "".join(f' {key}="{escape(text)}"' for key, text in attributes.items() if text)
    shown += " required" if required else ""
    note = ""
    if error:
        shown += f' aria-invalid="true" aria-describedby="{name}-error"'
        note = f'<p class="problem" id="{name}-error">{escape(error)}</p>'
    return f'<p class="field"><label for="{name}">{escape(label)}</label><input{shown}></p>{note}'


def choice(name: str, label: str, values: list[tuple[str, str]], chosen: str) -> str:
    options = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(text)}</option>'
        for value, text in values
    )
    select = f'<select id="{name}" name="{name}">{options}</select>'
    return f'<p class="field"><label for="{name}">{escape(label)}</label>{select}</p>'
