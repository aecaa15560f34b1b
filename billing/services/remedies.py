"""The ways out of a 402: only those that would help this account."""

import uuid
from typing import Final

from django.conf import settings

from catalog.terms import Terms
from config.ids import public_id

ADDRESSES: Final = {
    "add_funds": "/credits/add",
    "enable_auto_recharge": "/auto-recharge",
    "raise_limit": "/limits",
    "switch_to_postpaid": "/plan",
}


def ways_out(
    code: str, *, terms: Terms, mode: str, recharge_on: bool, limit_at_most: bool = False
) -> list[dict[str, str]]:
    """``[{"code", "url"}]`` for a refusal with this code, in the order in which they are tried.

    A pay-per-use account may owe up to its spending limit (profile ``toon``), so that is what it raises, unless it is
    ``limit_at_most``: as high as the terms let it be.
    Auto-recharge helps where it is off and could be on; postpaid where the terms have it
    with a rule for its credit limit (profile ``gateway``): without one nobody who switches may owe anything.
    """
    sold = terms.topup.enabled
    if code == "spending_limit_reached" or (code == "credit_limit_reached" and mode == "metered"):
        helps = {"raise_limit": not limit_at_most}
    else:
        short = code == "insufficient_credits"
        helps = {
            "add_funds": sold,
            "enable_auto_recharge": short and sold and terms.auto_recharge is not None and not recharge_on,
            "switch_to_postpaid": short and mode != "postpaid" and _may_owe(terms),
        }
    base = settings.PORTAL_BASE_URL
    return [{"code": way, "url": base + ADDRESSES[way]} for way, does in helps.items() if does]


def raise_key_limit(key_id: uuid.UUID | None) -> dict[str, str]:
    """Where the limit of one API key is raised."""
    page = "/keys" if key_id is None else f"/keys/{public_id('key', key_id)}/limit"
    return {"code": "raise_limit", "url": settings.PORTAL_BASE_URL + page}


def _may_owe(terms: Terms) -> bool:
    return "postpaid" in terms.modes and terms.credit_limit is not None
