"""Staff see limits, key limits and notices, also on the account's page; nobody changes them there."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.keys import create_key
from accounts.models import BillingAccount, User
from accounts.notices import choose
from billing.ledger.models import KeyLimit
from billing.models import Notice, SpendingLimit
from billing.services import key_limits, limit_notices, limits
from tests.billing.paying import CREDIT, spend


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "x"))
    return client


@pytest.fixture
def limited(account: BillingAccount) -> BillingAccount:
    """With a hard limit that is half used, a mark, a choice and a limited key."""
    limits.set_spending_limit(account.pk, 20 * CREDIT)
    limits.set_low_balance(account.pk, 7 * CREDIT)
    choose(account, None, "limits", wanted=True)
    key, _ = create_key(account=account, name="Production")
    key_limits.set_limits(key, monthly=8 * CREDIT, budget=90 * CREDIT)
    spend(account, 10)
    limit_notices.sweep()
    return account


def test_the_account_s_page_shows_them(staff: Client, limited: BillingAccount) -> None:
    page = staff.get(reverse("admin:accounts_billingaccount_change", args=[limited.pk])).content.decode()
    for said in (
        "Stops requests",
        "Part of the limit used",
        "low below",
        "pay@northwind.example",
        "0 of 8 a month; 0 of 90 in all",
    ):
        assert said in page


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("billing_spendinglimit", SpendingLimit),
        ("ledger_keylimit", KeyLimit),
        ("billing_notice", Notice),
    ],
)
def test_every_table_is_shown_and_none_can_be_changed(
    staff: Client, limited: BillingAccount, name: str, model: type[SpendingLimit | KeyLimit | Notice]
) -> None:
    row = model._default_manager.get()
    listed = staff.get(reverse(f"admin:{name}_changelist"))
    assert listed.status_code == 200
    assert "Northwind" in listed.content.decode()
    assert staff.get(reverse(f"admin:{name}_change", args=[row.pk])).status_code == 200
    assert staff.post(reverse(f"admin:{name}_change", args=[row.pk]), {}).status_code == 403
    assert staff.post(reverse(f"admin:{name}_delete", args=[row.pk])).status_code == 403
    assert staff.get(reverse(f"admin:{name}_add")).status_code == 403
