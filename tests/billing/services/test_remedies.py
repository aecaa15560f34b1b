"""Which ways out of a 402 are offered, line by line."""

from typing import Any

import pytest

from billing.services.remedies import ways_out
from catalog import snapshot
from catalog.terms import CreditLimitRule, CreditLimitTier, TopUp

FUNDS, RECHARGE, LIMIT, POSTPAID = "add_funds", "enable_auto_recharge", "raise_limit", "switch_to_postpaid"
NOT_SOLD = {"topup": TopUp(enabled=False)}
RULE = CreditLimitRule(tiers=(CreditLimitTier(paid_invoices=0, age_days=0, paid_volume=0, limit=1),))
OWED = {"credit_limit": RULE}
PREPAID_ONLY = {"modes": ("prepaid",), "credit_limit": RULE}


@pytest.mark.parametrize(
    ("code", "mode", "recharge_on", "change", "ways"),
    [
        ("insufficient_credits", "prepaid", False, OWED, [FUNDS, RECHARGE, POSTPAID]),
        ("insufficient_credits", "prepaid", False, {}, [FUNDS, RECHARGE]),
        ("insufficient_credits", "prepaid", True, OWED, [FUNDS, POSTPAID]),
        ("insufficient_credits", "prepaid", False, PREPAID_ONLY, [FUNDS, RECHARGE]),
        ("insufficient_credits", "prepaid", False, {"auto_recharge": None} | OWED, [FUNDS, POSTPAID]),
        ("insufficient_credits", "prepaid", False, NOT_SOLD | OWED, [POSTPAID]),
        ("insufficient_credits", "postpaid", True, OWED, [FUNDS]),
        ("credit_limit_reached", "postpaid", False, {}, [FUNDS]),
        ("credit_limit_reached", "postpaid", False, NOT_SOLD, []),
        ("credit_limit_reached", "metered", False, {}, [LIMIT]),
        ("spending_limit_reached", "prepaid", False, {}, [LIMIT]),
        ("spending_limit_reached", "metered", False, NOT_SOLD, [LIMIT]),
    ],
)
def test_only_what_helps(
    ads: None, code: str, mode: str, recharge_on: bool, change: dict[str, Any], ways: list[str]
) -> None:
    terms = snapshot.current().terms("ads").model_copy(update=change)
    offered = ways_out(code, terms=terms, mode=mode, recharge_on=recharge_on)
    assert [way["code"] for way in offered] == ways


def test_each_way_leads_to_the_portal(ads: None, settings: Any) -> None:
    settings.PORTAL_BASE_URL = "https://billing.example"
    terms = snapshot.current().terms("ads")
    for way in ways_out("insufficient_credits", terms=terms, mode="prepaid", recharge_on=False):
        assert way["url"].startswith("https://billing.example/")


def test_a_limit_that_is_as_high_as_it_may_be_is_not_raised(ads: None) -> None:
    terms = snapshot.current().terms("ads")
    for code in ("spending_limit_reached", "credit_limit_reached"):
        assert ways_out(code, terms=terms, mode="metered", recharge_on=False, limit_at_most=True) == []
