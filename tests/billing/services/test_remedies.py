"""Which ways out of a 402 are offered, line by line."""

from typing import Any

import pytest

from billing.services.remedies import ways_out
from catalog import snapshot
from catalog.terms import TopUp

FUNDS, RECHARGE, LIMIT, POSTPAID = "add_funds", "enable_auto_recharge", "raise_limit", "switch_to_postpaid"
NOT_SOLD = {"topup": TopUp(enabled=False)}


@pytest.mark.parametrize(
    ("code", "mode", "recharge_on", "postpaid", "change", "ways"),
    [
        ("insufficient_credits", "prepaid", False, True, {}, [FUNDS, RECHARGE, POSTPAID]),
        ("insufficient_credits", "prepaid", False, False, {}, [FUNDS, RECHARGE]),
        ("insufficient_credits", "prepaid", True, True, {}, [FUNDS, POSTPAID]),
        ("insufficient_credits", "prepaid", False, True, {"auto_recharge": None}, [FUNDS, POSTPAID]),
        ("insufficient_credits", "prepaid", False, True, NOT_SOLD, [POSTPAID]),
        ("insufficient_credits", "postpaid", True, False, {}, [FUNDS]),
        ("credit_limit_reached", "postpaid", False, False, {}, [FUNDS]),
        ("credit_limit_reached", "postpaid", False, False, NOT_SOLD, []),
        ("credit_limit_reached", "metered", False, False, {}, [LIMIT]),
        ("spending_limit_reached", "prepaid", False, True, {}, [LIMIT]),
        ("spending_limit_reached", "metered", False, False, NOT_SOLD, [LIMIT]),
    ],
)
def test_only_what_helps(
    ads: None,
    code: str,
    mode: str,
    recharge_on: bool,
    postpaid: bool,
    change: dict[str, Any],
    ways: list[str],
) -> None:
    terms = snapshot.current().terms("ads").model_copy(update=change)
    offered = ways_out(code, terms=terms, mode=mode, recharge_on=recharge_on, postpaid=postpaid)
    assert [way["code"] for way in offered] == ways


def test_each_way_leads_to_the_portal(ads: None, settings: Any) -> None:
    settings.PORTAL_BASE_URL = "https://billing.example"
    terms = snapshot.current().terms("ads")
    for way in ways_out("insufficient_credits", terms=terms, mode="prepaid", recharge_on=False):
        assert way["url"].startswith("https://billing.example/")
