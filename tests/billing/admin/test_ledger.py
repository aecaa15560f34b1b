"""Staff see the ledger and may post adjustments; nobody edits it."""

import html
import re
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from billing.ledger.models import Balance, Charge, Grant, Transaction
from billing.models import AdjustmentRequest
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
    assert f"{6 if name in ('balance', 'grant') else 4} credit" in text.replace("\xa0", " ").replace(
        "−4", "4"
    )
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


def decide(client: Client, name: str, row: AdjustmentRequest, **sent: str) -> tuple[int, str]:
    address = reverse(f"admin:billing_adjustmentrequest_{name}", args=[row.pk])
    answer = client.post(address, sent, follow=True)
    return answer.status_code, html.unescape(answer.content.decode())


def test_above_the_limit_it_waits_for_somebody_else(staff: Client, open_account: OpenAccount) -> None:
    account = open_account(10)
    form = staff.get(reverse("admin:ledger_balance_adjust_balance", args=[account])).content.decode()
    assert "More than 500 credit" in form
    assert send(staff, account, "500.5", "Sorry for the outage") == 302
    row = AdjustmentRequest.objects.get()
    assert (row.status, standing(account)) == ("pending", (10, 0, 10))
    listed = staff.get(reverse("admin:billing_adjustmentrequest_changelist")).content.decode()
    assert re.search(r"Adjustments\s*</span>.{0,900}?>\s*1\s*</span>", listed, re.DOTALL), (
        "the sidebar counts it"
    )
    own = staff.get(reverse("admin:billing_adjustmentrequest_change", args=[row.pk])).content.decode()
    assert "500.5\xa0credits" in own
    assert "nobody approves their own" in own
    assert "approve" not in re.findall(r'href="[^"]*/(approve|decline)[^"]*"', own)
    status, text = decide(staff, "approve", row)
    assert (status, "somebody else has to decide" in text) == (422, True)

    other = Client()
    other.force_login(User.objects.create_superuser("second@example.com", "x"))
    page = other.get(reverse("admin:billing_adjustmentrequest_approve", args=[row.pk])).content.decode()
    assert "staff@example.com asked on" in page
    assert decide(other, "approve", row)[0] == 200
    assert standing(account) == (510, 0, 510)
    status, text = decide(other, "decline", row, reason="Too late", nonce=str(uuid.uuid4()))
    assert (status, "approved already" in text) == (422, True)
    listed = staff.get(reverse("admin:billing_adjustmentrequest_changelist")).content.decode()
    assert not re.search(r"Adjustments\s*</span>.{0,900}?>\s*\d+\s*</span>\s*</a>", listed, re.DOTALL)


def test_declining_says_why_to_who_asked(staff: Client, open_account: OpenAccount) -> None:
    account = open_account(600)
    assert send(staff, account, "-501", "Chargeback") == 302
    row = AdjustmentRequest.objects.get()
    other = Client()
    other.force_login(User.objects.create_superuser("second@example.com", "x"))
    assert decide(other, "decline", row, reason=" ", nonce=str(uuid.uuid4()))[0] == 422
    assert decide(other, "decline", row, reason="It was won", nonce=str(uuid.uuid4()))[0] == 200
    own = staff.get(reverse("admin:billing_adjustmentrequest_change", args=[row.pk])).content.decode()
    assert "It was won" in own
    assert standing(account) == (600, 0, 600)


def test_staff_without_the_right_cannot_approve(
    staff: Client, client: Client, open_account: OpenAccount
) -> None:
    account = open_account(10)
    send(staff, account, "501", "Gift")
    other = Client()
    other.force_login(User.objects.create_user("look@example.com", "x", is_staff=True))
    assert decide(other, "approve", AdjustmentRequest.objects.get())[0] == 403
    assert standing(account) == (10, 0, 10)
