"""Whatever the profile, a page leads only to pages that are there for this account."""

import re
from urllib.parse import urljoin, urlsplit

import pytest
from django.test import Client

from billing.services.accounts import open_account
from tests import price_lists
from tests.billing.views.conftest import SignIn

PROFILES = ("ads", "images", "toon", "sites", "gateway")
LINK = re.compile(r'<a [^>]*?href="([^"#][^"]*)"')
FAR_ENOUGH = 60


@pytest.mark.parametrize(
    "profile", [PROFILES[0], *(pytest.param(other, marks=pytest.mark.slow) for other in PROFILES[1:])]
)
def test_no_link_leads_nowhere(ads: None, sign_in: SignIn, profile: str) -> None:
    price_lists.load(profile)
    account = open_account(name="Nord", email="pay@nord.example", profile=profile)
    broken = crawled(sign_in(account, "owner"))
    assert "\n".join(broken) == ""


def crawled(browser: Client) -> list[str]:
    """Follow links from the overview on; where one leads that answers anything but a page."""
    seen, waiting, broken = {"/"}, ["/"], []
    found_on = {"/": "the start"}
    while waiting and len(seen) < FAR_ENOUGH:
        here = waiting.pop(0)
        answer = browser.get(here, follow=True)
        if answer.status_code != 200:
            broken.append(f"{here}: {answer.status_code}, from {found_on[here]}")
            continue
        if "text/html" not in answer["Content-Type"] or answer.streaming:
            continue
        for target in LINK.findall(answer.content.decode()):
            parts = urlsplit(urljoin(here, target.replace("&amp;", "&")))
            if (
                not (parts.scheme or parts.netloc)
                and parts.path not in seen
                and not parts.path.startswith("/accounts/logout")
            ):
                seen.add(parts.path)
                waiting.append(parts.path + (f"?{parts.query}" if parts.query else ""))
                found_on[waiting[-1]] = here
    return broken
