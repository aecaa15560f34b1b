"""The ways out of a 402: only those that would help this account."""

from typing import Final

from django.conf import settings

from catalog.terms import Terms

PAGES: Final = {
    "add_funds": "/credits/add",
    "enable_auto_recharge": "/auto-recharge",
    "raise_limit": "/limits",
    "switch_to_postpaid": "/plan",
}


def ways_out(code: str, *, terms: Terms, mode: str, recharge_on: bool) -> list[dict[str, str]]:
    """``[{"code", "url"}]`` for a refusal with this code; the pages are the portal's own."""
    if code == "spending_limit_reached":
        ways = ["raise_limit"]
    elif code == "credit_limit_reached":
        ways = ["add_funds"]
    else:
        ways = ["add_funds"]
        if not recharge_on:
            ways.append("enable_auto_recharge")
        if mode != "postpaid" and "postpaid" in terms.modes:
            ways.append("switch_to_postpaid")
    return [{"code": way, "url": settings.PORTAL_BASE_URL + PAGES[way]} for way in ways]
