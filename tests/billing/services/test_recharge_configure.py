"""The settings of auto-recharge: the profile's defaults, what is refused, what switching on forgets."""

from typing import Any

import pytest

from accounts.models import BillingAccount
from billing.errors import InvalidRequest
from billing.models import AutoRecharge
from billing.services import auto_recharge
from catalog.pricing.units import Amount
from tests.billing.paying import CREDIT, dollars


def configure(account: BillingAccount, **changes: Any) -> AutoRecharge:
    wanted: dict[str, Any] = {
        "enabled": True,
        "threshold": 20 * CREDIT,
        "amount": dollars("25"),
        "monthly_cap": None,
    }
    return auto_recharge.configure(account=account, **(wanted | changes))


def test_the_profile_says_what_it_starts_with(account: BillingAccount) -> None:
    view = auto_recharge.of(account)
    assert (view.enabled, str(view.threshold), str(view.amount), view.monthly_cap) == (
        False,
        "20",
        "25",
        None,
    )
    assert str(view.credits) == "250"
    assert not AutoRecharge.objects.exists(), "looking stores nothing"


def test_it_is_read_as_it_was_set(account: BillingAccount) -> None:
    configure(account, threshold=35_500_000, amount=dollars("40"), monthly_cap=dollars("200"))
    view = auto_recharge.of(account)
    assert (str(view.threshold), str(view.amount), str(view.monthly_cap)) == ("35.5", "40", "200")
    assert view.enabled


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"threshold": -1}, "threshold"),
        ({"amount": dollars("1")}, "amount"),
        ({"amount": dollars("25.001")}, "amount"),
        ({"amount": Amount.parse("25", "EUR")}, "currency"),
        ({"monthly_cap": dollars("24.99")}, "monthly_cap"),
        ({"monthly_cap": dollars("30.001")}, "monthly_cap"),
        ({"monthly_cap": Amount.parse("100", "EUR")}, "monthly_cap"),
    ],
)
def test_refuses(account: BillingAccount, change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        configure(account, **change)
    assert [error["field"] for error in refusal.value.extra["errors"]] == [field]
    assert not AutoRecharge.objects.exists()
