"""Staff see the ledger and may post adjustments; nobody edits it."""

import re
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from billing.ledger.models import Balance, Charge, Grant, Transaction
from tests.billing.ledger.conftest import CREDIT, OpenAccount, hold, open_account, standing

__all__ = ["open_account"]

MODELS: dict[str, Any] = {"balance": Balance, "transaction": Transaction, "grant": Grant, "charge": Charge}


@pytest.fixture
def staff(client: Client, ads: None) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "x"))
    return client


@pytest.mark.parametrize("name", MODELS)
def test_every_table_is_shown_and_none_can_be_changed(
    staff: Client, open_account: OpenAccount, name: str
) -> None:
    hold(open_account(10), 4, settle_now=True)
    row = MODELS[name].objects.first()
    assert row is not None
    listed = staff.get(reverse(f"admin:ledger_{name}_changelist"))
    shown = staff.get(reverse(f"admin:ledger_{name}_change", args=[row.pk]))
    assert (listed.status_code, shown.status_code) == (200, 200)
    text = shown.content.decode()
    assert "000000" not in re.sub(r"[0-9a-f-]{32,}", "", text), "amounts are shown as amounts"
    assert f"{6 if name in ('balance', 'grant') else 4} credit" in text.replace("-4", "4")
    assert 'name="_save"' not in shown.content.decode()
    assert (
        staff.post(reverse(f"admin:ledger_{name}_change", args=[row.pk]), {"unit": "EUR"}).status_code == 403
    )
    assert staff.post(reverse(f"admin:ledger_{name}_delete", args=[row.pk])).status_code == 403
    assert staff.get(reverse(f"admin:ledger_{name}_add")).status_code == 403


def send(staff: Client, account: uuid.UUID, amount: str, reason: str, nonce: uuid.UUID | None = None) -> int:
    sent = {"amount": amount, "reason": reason, "nonce": str(nonce or uuid.uuid4())}
    return staff.post(reverse("admin:ledger_balance_adjust_balance", args=[account]), sent).status_code


def test_an_adjustment_is_posted_with_its_reason_and_author(staff: Client, open_account: OpenAccount) -> None:
    account = open_account(10)
    assert send(staff, account, "2.5", "Sorry for the outage") == 302
    posted = Transaction.objects.get(kind="adjustment")
    assert (posted.amount, posted.description) == (2_500_000, "Sorry for the outage")
    author = User.objects.get(email="staff@example.com")
    assert posted.details == {"reason": "Sorry for the outage", "staff": str(author.pk)}
    page = staff.get(reverse("admin:ledger_transaction_change", args=[posted.pk])).content.decode()
    assert "osted by" in page
    assert Grant.objects.get(source="admin").remaining == 2_500_000


def test_taking_credits_stops_at_what_is_held(staff: Client, open_account: OpenAccount) -> None:
    account = open_account(10)
    hold(account, 7)
    assert send(staff, account, "-4", "Wrong top-up") == 422
    assert send(staff, account, "-3", "Wrong top-up") == 302
    assert standing(account) == (7, 7, 0)


def test_a_form_sent_twice_adjusts_once(staff: Client, open_account: OpenAccount) -> None:
    account, nonce = open_account(10), uuid.uuid4()
    assert [send(staff, account, "5", "Gift", nonce) for _ in range(2)] == [302, 302]
    assert standing(account) == (15, 0, 15)


@pytest.mark.parametrize(
    ("amount", "reason"),
    [("0", "x"), ("1e3", "x"), ("NaN", "x"), ("0.0000001", "x"), ("", "x"), ("5", " "), ("5", "")],
)
def test_a_bad_adjustment_is_refused_and_posts_nothing(
    staff: Client, open_account: OpenAccount, amount: str, reason: str
) -> None:
    account = open_account(10)
    assert send(staff, account, amount, reason) == 422
    assert Transaction.objects.filter(kind="adjustment").count() == 0


def test_staff_without_the_right_cannot_adjust(client: Client, open_account: OpenAccount) -> None:
    account = open_account(10)
    client.force_login(User.objects.create_user("look@example.com", "x", is_staff=True))
    assert send(client, account, "5", "Gift") in (302, 403)
    assert standing(account) == (10 * CREDIT // CREDIT, 0, 10)
