"""The admin's first page: each figure read back, nothing where nothing is, and no table of history read from end to end."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import User
from billing.ledger import grants, refunds, usage_days
from billing.ledger.models import Balance
from billing.models import AutoRecharge, OutboxMessage, Payment, WebhookInbox
from billing.selectors import dashboard, operations
from billing.services import adjustments
from billing.services.reconciliation import runs
from config.ids import first_id, new_id
from config.models import Heartbeat
from tests.billing.ledger.conftest import CREDIT, OpenAccount, at, give, hold, open_account, settle

__all__ = ["open_account"]

JUNE, JULY = datetime(2027, 6, 20, 12, tzinfo=UTC), datetime(2027, 7, 5, 12, tzinfo=UTC)


@pytest.fixture
def staff(client: Client, ads: None) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "x"))
    return client


def words(staff: Client) -> str:
    """The dashboard's text, without marks."""
    page = staff.get(reverse("admin:index"))
    assert page.status_code == 200
    body = page.content.decode().split('<div class="db">')[1].split("Recent actions")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split()).replace(" ,", ",")


def told(staff: Client, heading: str, figures: str) -> bool:
    return f"{heading} {figures}" in words(staff)


def test_money_of_this_month_and_the_last(staff: Client, open_account: OpenAccount) -> None:
    at(JUNE)
    account = open_account(100)
    hold(account, 30, settle_now=True)
    given_back = hold(account, 10, settle_now=True)
    at(JULY)
    hold(account, 7, settle_now=True)
    refunds.refund_charge(charge_id=given_back, micros=4 * CREDIT, reason="Broken")
    grants.withdraw(account_id=account, micros=CREDIT, kind="refund", description="Purchase back", key="back")
    open_account(20)
    in_debt = open_account(0, credit_limit=50)
    hold(in_debt, 12, settle_now=True)
    Balance.objects.filter(pk=open_account(1000)).update(is_open=False)
    usage_days.fold_all()
    [row] = dashboard.money(JULY.date())
    assert (row.unit, row.revenue, row.revenue_before) == ("credit", (7 + 12 - 4) * CREDIT, 40 * CREDIT)
    assert (row.liability, row.owed) == ((100 - 40 - 7 + 4 - 1 + 20) * CREDIT, 12 * CREDIT)
    assert [str(amount) for amount in row.cash_amounts] == ["7.6"]
    assert "Credits 15 40 0 0 76 $ 7 .60 to buy 12" in words(staff)


def test_breakage_is_what_lapsed(staff: Client, open_account: OpenAccount) -> None:
    at(JUNE)
    account = open_account(0)
    give(account, 5, expires_at=JUNE + timedelta(days=1))
    give(account, 3, expires_at=JULY)
    at(JUNE + timedelta(days=2))
    grants.expire(account)
    at(JULY + timedelta(seconds=1))
    grants.expire(account)
    usage_days.fold_all()
    [row] = dashboard.money(JULY.date())
    assert (row.breakage, row.breakage_before, row.liability) == (3 * CREDIT, 5 * CREDIT, 0)


def _held(account: uuid.UUID, staff: User) -> None:
    settle(hold(account, 1), 1)
    hold(account, 3)
    hold(account, 4)


def _late(account: uuid.UUID, staff: User) -> None:
    hold(account, 2)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_charge SET expires_at = ledger_now() - interval '1 minute'")


def _recharge(account: uuid.UUID, staff: User) -> None:
    for status, age in (("failed", 1), ("failed", 8), ("unknown", 1)):
        payment = Payment(
            id=_id_of(now() - timedelta(days=age)), account_id=account, purpose="auto_recharge", route="off_session",
            cash_minor=100, currency="USD", credits=1, unit="credit",
        )  # fmt: skip
        payment.save()
        for step in ("submitted", status):
            payment.status = step
            payment.finished_at = now() if step == "failed" else None
            payment.save()
    AutoRecharge.objects.create(
        account_id=account, enabled=True, threshold=1, amount_minor=100, currency="USD", paused_at=now(),
        pause_reason="failures",
    )  # fmt: skip


def _id_of(moment: datetime) -> uuid.UUID:
    return uuid.UUID(bytes=first_id(moment).bytes[:6] + new_id().bytes[6:])


def _inbox(account: uuid.UUID, staff: User) -> None:
    for name, parked in (("evt_1", None), ("evt_2", None), ("evt_3", now())):
        WebhookInbox.objects.create(event_id=name, type="customer.updated", payload={}, parked_at=parked)
    WebhookInbox.objects.create(event_id="evt_4", type="customer.updated", payload={}, done_at=now())


def _outbox(account: uuid.UUID, staff: User) -> None:
    for name, parked in (("a", None), ("b", now()), ("c", now())):
        OutboxMessage.objects.create(kind="email.receipt", key=name, payload={}, parked_at=parked)


def _asked(account: uuid.UUID, staff: User) -> None:
    adjustments.adjust(
        account_id=account, micros=600 * CREDIT, reason="Outage", staff=staff, nonce=uuid.uuid4()
    )


def _broken(account: uuid.UUID, staff: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_balance SET held = 1")
    runs.record("schedule", everything=True)


def _silent(account: uuid.UUID, staff: User) -> None:
    Heartbeat.objects.update(beat_at=now() - timedelta(minutes=3))


@pytest.mark.parametrize(
    ("befalls", "need", "card"),
    [
        (_held, "", "Open holds 2 7 credits held oldest now"),
        (_late, "1 hold is past its time", "1 past their time"),
        (_recharge, "1 recharge failed in seven days", "Recharges 1 failed in seven days 1 unknown, 1 paused"),
        (_recharge, "1 payment has an unknown outcome", ""),
        (_inbox, "1 Stripe event was given up", "Webhook inbox 2 unfinished 1 given up"),
        (_outbox, "2 messages were given up", "Outbox 1 to be sent 2 given up"),
        (_asked, "1 adjustment waits for a second person", "Approvals 1 adjustment pending 0 refunds asked for"),
        (_broken, "1 promise of the books does not hold", "Books 1 broken held_matches_holds 1 looked at now"),
        (_silent, "The worker gives no sign of life", "Worker Silent sign of life 3 minutes ago"),
    ],
)  # fmt: skip
def test_what_waits_is_said_counted_and_gone_again(
    staff: Client,
    open_account: OpenAccount,
    befalls: Callable[[uuid.UUID, User], None],
    need: str,
    card: str,
) -> None:
    Heartbeat.objects.create(name="worker", beat_at=now())
    account = open_account(100)
    runs.record("schedule", everything=True)
    usage_days.fold_all()
    before = words(staff)
    assert "All is well Nothing waits for you." in before
    assert "Books In order" in before
    befalls(account, User.objects.get())
    after = words(staff).replace("\xa0", " ")
    assert (need in after, card in after) == (True, True), after
    assert ("Waits for somebody" in after) is bool(need)


def test_an_empty_portal_says_how_to_begin(staff: Client) -> None:
    text = words(staff)
    assert "No credits have moved yet." in text
    assert "Not looked at yet" in text
    assert "never gave a sign of life" in text
    assert "No work is under way." in text


@pytest.mark.slow
def test_every_link_leads_somewhere(staff: Client, open_account: OpenAccount) -> None:
    account = open_account(100)
    for befalls in (_held, _recharge, _inbox, _outbox, _asked, _broken):
        befalls(account, User.objects.get())
    page = staff.get(reverse("admin:index")).content.decode().split('<div class="db">')[1]
    links = set(re.findall(r'href="(/admin/[^"]+)"', page.replace("&amp;", "&")))
    assert len(links) > 12
    for link in links:
        answer = staff.get(link)
        assert answer.status_code == 200, link


def test_staff_who_may_not_see_the_ledger_find_what_they_may(
    client: Client, open_account: OpenAccount
) -> None:
    open_account(123)
    client.force_login(User.objects.create_user("desk@example.com", "x", is_staff=True))
    page = client.get(reverse("admin:index"))
    assert (page.status_code, 'class="db"' in page.content.decode()) == (200, False)


def test_the_page_has_no_inline_style(staff: Client) -> None:
    page = staff.get(reverse("admin:index")).content.decode()
    assert " style=" not in page.split('<div class="db">')[1].split("Recent actions")[0]


FILL = """
INSERT INTO ledger_usageday (account_id, day, unit, kind, model, operation, api_key_id, count, amount, first_seq, last_seq)
SELECT gen_random_uuid(), date '2024-01-01' + n % 1200, 'credit', 'usage', 'm', 'o', NULL, 1, -1, 1, 1
  FROM generate_series(1, 60000) n;
INSERT INTO billing_webhookinbox (event_id, type, object_id, payload, received_at, next_attempt_at, attempts, done_at,
                                  last_error, mirror_error)
SELECT 'evt_' || n, 'x', '', '{}', now(), now(), 1, now(), '', '' FROM generate_series(1, 20000) n;
INSERT INTO billing_outboxmessage (id, kind, key, payload, created_at, next_attempt_at, attempts, sent_at, last_error)
SELECT gen_random_uuid(), 'x', n::text, '{}', now(), now(), 1, now(), '' FROM generate_series(1, 20000) n;
"""


def plan(sql: str, parameters: list[Any]) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", parameters)
        return "\n".join(row[0] for row in cursor.fetchall())


@pytest.mark.slow
@pytest.mark.django_db
def test_nothing_reads_a_table_of_history_from_end_to_end(ads: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(FILL)
        cursor.execute("ANALYZE ledger_usageday, billing_webhookinbox, billing_outboxmessage, ledger_charge")
    months = plan(dashboard.MONTHS_SQL, [date(2026, 6, 1), date(2026, 8, 1)])
    counts = plan(operations.COUNTS_SQL, [])
    assert "usageday_day" in months
    for table in ("ledger_usageday", "billing_webhookinbox", "billing_outboxmessage", "ledger_transaction"):
        assert f"Seq Scan on {table}" not in months + counts, months + counts
