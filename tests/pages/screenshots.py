"""Pictures of every page of a running portal, for looking at them and for the documentation.

    python -m tests.pages.screenshots OUTDIR [--url http://127.0.0.1:8000] [--email …] [--password …]

Each page is taken in light, in dark and at a phone's width. Start the portal with ``manage.py up`` first.
"""

import argparse
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.pages.browsing import PHONE, WIDE, open_browser

PAGES = {
    "overview": "/",
    "transactions": "/transactions",
    "statements": "/statements",
    "balance-changes": "/balance/changes",
    "usage": "/usage",
    "add-credits": "/credits/add",
    "auto-recharge": "/auto-recharge",
    "pricing": "/pricing",
    "estimate": "/pricing/estimate",
    "keys": "/keys",
    "team": "/team",
    "settings": "/settings",
}
LOOKS = {"light": ("light", WIDE), "dark": ("dark", WIDE), "phone": ("light", PHONE)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--email", default="ada@northwind.example")
    parser.add_argument("--password", default="sample-password")
    options = parser.parse_args()
    options.outdir.mkdir(parents=True, exist_ok=True)
    with open_browser() as browser:
        for look in LOOKS:
            page = signed_in(browser, options.url, options.email, options.password, look)
            for name, path in PAGES.items():
                page.goto(options.url + path)
                page.wait_for_load_state("networkidle")
                target = options.outdir / f"{name}-{look}.png"
                page.screenshot(path=target, full_page=look == "phone")
                print(target)


def signed_in(browser: Browser, url: str, email: str, password: str, look: str) -> Page:
    """A page of a window with this look, after signing in with the form."""
    theme, size = LOOKS[look]
    context = browser.new_context(
        viewport=size,
        color_scheme="dark" if theme == "dark" else "light",
        device_scale_factor=2,
    )
    page = context.new_page()
    page.goto(f"{url}/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"{url}/")
    return page


if __name__ == "__main__":
    main()
