"""The outbox: said once, sent at least once, a poisoned message parked while the others flow."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection, transaction
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing import outbox
from billing.models import OutboxMessage
from billing.services import auto_recharge, topups
from tests.billing.paying import CREDIT, DECLINED_LATER, NEEDS_3DS, dollars, save_card, start
from tests.stripe_simulator.fixtures import Simulator

SENT: list[str] = []


@pytest.fixture(autouse=True)
def kinds(db: None) -> Iterator[None]:
    SENT.clear()
    outbox.handles("test.note")(lambda payload: SENT.append(payload["text"]))
    outbox.handles("test.poison")(lambda payload: [][1])
    yield
    del outbox._handlers["test.note"], outbox._handlers["test.poison"]


def note(text: str) -> None:
    outbox.put(kind="test.note", key=text, payload={"text": text})


def test_sends_each_key_once() -> None:
    for _ in range(3):
        note("hello")
    assert outbox.relay() == 1
    assert outbox.relay() == 0
    assert SENT == ["hello"]


def test_what_is_rolled_back_is_never_sent() -> None:
    with transaction.atomic():
        note("gone")
        transaction.set_rollback(True)
    assert outbox.relay() == 0


def test_a_poisoned_message_waits_longer_each_time_and_is_parked() -> None:
    outbox.put(kind="test.poison", key="p", payload={})
    note("after")
    assert outbox.relay() == 1
    assert SENT == ["after"]
    row = OutboxMessage.objects.get(key="p")
    assert "IndexError" in row.last_error
    assert row.next_attempt_at > now() + timedelta(seconds=10)

    for _ in range(outbox.PARK_AFTER):
        OutboxMessage.objects.update(next_attempt_at=now())
        outbox.relay()
    row.refresh_from_db()
    assert row.attempts == outbox.PARK_AFTER
    assert row.parked_at is not None


@pytest.mark.django_db(transaction=True)
def test_two_relays_send_each_message_once() -> None:
    for number in range(60):
        note(str(number))

    def relay() -> None:
        try:
            outbox.relay()
        finally:
            connection.close()

    relays = [threading.Thread(target=relay) for _ in range(4)]
    for thread in relays:
        thread.start()
    for thread in relays:
        thread.join()
    assert sorted(SENT, key=int) == [str(number) for number in range(60)]


def test_a_receipt_is_mailed_once(account: BillingAccount, payments_at: Simulator) -> None:
    account.name = "<b>North & west</b>"
    account.save()
    payment = start(account)
    payments_at.pay(payment.checkout_url)
    topups.complete(payment.pk)
    outbox.relay()
    outbox.relay()
    (sent,) = mail.outbox
    assert sent.to == ["pay@northwind.example"]
    assert "$25.00" in sent.subject
    assert "added 250\N{NO-BREAK SPACE}credits to" in sent.body
    assert "<b>North & west</b>" in sent.body, "plain text needs no escaping"
    html = str(sent.alternatives[0][0])  # type: ignore[attr-defined]
    assert "&lt;b&gt;North &amp; west" in html
    assert "<c-" not in html


@pytest.mark.parametrize(
    ("card", "subject", "link"),
    [
        (DECLINED_LATER, "Auto-recharge did not go through", "/auto-recharge"),
        (NEEDS_3DS, "Your bank asks you to confirm $25.00", "/c/pay/"),
    ],
)
def test_what_went_wrong_with_a_recharge_is_mailed(
    account: BillingAccount, payments_at: Simulator, card: str, subject: str, link: str
) -> None:
    save_card(account, payments_at, card)
    auto_recharge.configure(
        account=account, enabled=True, threshold=20 * CREDIT, amount=dollars("25"), monthly_cap=None
    )
    auto_recharge.recharge_now(account.pk, 60 * CREDIT)
    outbox.relay()
    (sent,) = mail.outbox
    assert sent.subject == subject
    assert link in sent.body
