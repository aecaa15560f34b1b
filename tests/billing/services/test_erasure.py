"""A person is erased: nothing in the whole database names them, and every sum, chain and signature is as before."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now
from portal_client import keyring
from portal_client import statements as checking

from accounts import invitations, keys
from accounts.errors import InvitationNotValid
from accounts.models import BillingAccount, Membership, NoticeChoice, User
from billing import outbox, statement_csv, statement_pdf
from billing.errors import InvalidRequest, InvalidState
from billing.ledger.models import Balance
from billing.models import Erasure, Invoice, OutboxMessage, Payment, Statement, WebhookInbox
from billing.services import (
    closing,
    erasure,
    inbox,
    invoicing,
    notices,
    reconciliation,
    refunds,
    signing,
    statements,
    subscriptions,
    topups,
)
from billing.services.accounts import open_account
from catalog import snapshot
from tests import price_lists
from tests.billing.ledger.conftest import at, hold
from tests.billing.paying import save_card, spend, start
from tests.billing.services.plans import AGES
from tests.billing.webhooks.conftest import Post, endpoint, events, post
from tests.stripe_simulator.fixtures import Simulator

__all__ = ["endpoint", "events", "post"]
pytestmark = pytest.mark.django_db

EMAIL, BILLING = "ada.lovelace@person.example", "money@lovelace-works.example"
NAME, COMPANY, KEY = "Ada Lovelace", "Lovelace Works", "Lovelace laptop"
AGENT, ADDRESS = "Lovelace-Browser/9.1", "203.0.113.77"
NEEDLES = ("lovelace", ADDRESS)
Events = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def ada(ads: None) -> User:
    user = User.objects.create_user(EMAIL, "correct horse battery", name=NAME, company=COMPANY)
    EmailAddress.objects.create(user=user, email=EMAIL, verified=True, primary=True)
    return user


@pytest.fixture
def own(ada: User) -> BillingAccount:
    account = open_account(name=COMPANY, email=BILLING, user=ada, profile="ads")
    assert account.opened_for == ada
    return account


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_superuser("staff@portal.example", "x")


def rows() -> Iterator[tuple[str, str]]:
    """Every row of every table, as text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables"
            " WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT t::text FROM {table} t")
            yield from ((table, row) for (row,) in cursor.fetchall())
    for session in Session.objects.all():
        yield "django_session, decoded", json.dumps(session.get_decoded())


def naming() -> dict[str, int]:
    """In which tables the person is still named, and how often."""
    found: dict[str, int] = {}
    for table, row in rows():
        if any(needle in row.lower() for needle in NEEDLES):
            found[table] = found.get(table, 0) + 1
    return found


def sums() -> dict[str, Any]:
    """What must not change: balances with their chains, postings by account, invoices' figures, statements, breaches."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT unit, ledger_account, count(*), sum(amount) FROM ledger_posting GROUP BY 1, 2 ORDER BY 1, 2"
        )
        postings = cursor.fetchall()
        cursor.execute("SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM ledger_transaction t")
        history = cursor.fetchone()
    balances = Balance.objects.order_by("pk").values_list("pk", "unit", "balance", "held", "seq", "head")
    invoices = Invoice.objects.values_list("number", "status", "total", "due_minor", "reference")
    sealed = Statement.objects.order_by("pk").values_list("pk", "content", "signature", "head")
    found = {finding.name for finding in reconciliation.run() if finding.breaches}
    return {
        "postings": postings,
        "history": history,
        "balances": [(*row[:-1], bytes(row[-1] or b"")) for row in balances],
        "invoices": list(invoices),
        "statements": [(pk, content, bytes(signed), bytes(head)) for pk, content, signed, head in sealed],
        "payments": list(
            Payment.objects.order_by("pk").values_list("pk", "cash_minor", "tax_minor", "credits")
        ),
        "broken": found - set(AGES),
    }


def everything_told(post: Post, events: Events) -> None:
    for event in events():
        assert post(event) in (200, 503)
    inbox.sweep()


def lived(
    own: BillingAccount, ada: User, staff: User, simulator: Simulator, post: Post, events: Events
) -> None:
    """Leave the person's name wherever the portal keeps one."""
    browser = Client(headers={"user-agent": AGENT}, REMOTE_ADDR=ADDRESS)
    browser.post(reverse("account_login"), {"login": EMAIL, "password": "correct horse battery"})
    assert browser.get("/settings").status_code == 200
    Authenticator.objects.create(user=ada, type="totp", data={"secret": make_password(NAME), "name": NAME})
    keys.create_key(account=own, name=KEY, created_by=ada)
    invitations.invite(account=own, email="sister@lovelace.example", role="viewer", invited_by=ada)
    NoticeChoice.objects.create(account=own, topic="limits", wanted=True)
    save_card(own, simulator)
    simulator.pay(start(own).checkout_url)
    everything_told(post, events)
    payment = Payment.objects.get()
    assert (payment.status, bool(payment.card)) == ("succeeded", True)
    refunds.decline(
        refunds.ask(payment.pk, by=ada, because=f"{NAME} asks").pk,
        by=staff,
        reason=f"Not for {NAME}, {EMAIL}",
    )
    spend(own, 300)
    notices.tell(own, "balance_low", unit="credit", balance="50", mark="60")
    notices.tell(own, "key_limit_stopped", "k", unit="credit", key=KEY, limit="1", spent="1", required="1")
    outbox.relay()
    assert {BILLING, EMAIL} & {to for message in mail.outbox for to in message.to}
    office = Client()
    office.force_login(staff)
    change = reverse("admin:accounts_billingaccount_change", args=[own.pk])
    answer = office.post(change, {"name": COMPANY, "email": BILLING})
    assert answer.status_code in (200, 302)
    LogEntry.objects.create(
        user=staff,
        content_type_id=1,
        object_id="1",
        object_repr=f"{EMAIL} · owner",
        action_flag=2,
        change_message=BILLING,
    )


def invoiced(ada: User, staff: User) -> BillingAccount:
    """A second account, which pays afterwards: one paid invoice, and its months sealed."""
    price_lists.load("toon")
    snapshot.refresh()
    account = open_account(name="Lovelace Post", email=BILLING, profile="toon", mode="metered")
    Membership.objects.create(account=account, user=ada, role="owner")
    hold(account.pk, 7, settle_now=True)
    at(now() + timedelta(days=40))
    assert invoicing.close_due()
    invoicing.mark_paid(Invoice.objects.get().pk, reference="BANK-1", by=staff)
    statements.seal_due()
    return account


@pytest.mark.slow
def test_nothing_names_them_any_more_and_every_sum_is_as_before(
    own: BillingAccount,
    ada: User,
    staff: User,
    payments_at: Simulator,
    post: Post,
    events: Events,
    tmp_path: Path,
) -> None:
    lived(own, ada, staff, payments_at, post, events)
    second = invoiced(ada, staff)
    own.refresh_from_db()
    customer, seen = own.stripe_customer_id, len(events())
    named, before = naming(), sums()
    assert {
        "public.accounts_user", "public.accounts_billingaccount", "public.accounts_apikey", "public.accounts_invitation",
        "public.account_emailaddress", "public.usersessions_usersession", "public.mfa_authenticator",
        "public.billing_invoice", "public.billing_notice", "public.billing_outboxmessage", "public.billing_refundrequest",
        "public.billing_webhookinbox", "public.django_admin_log", "public.djstripe_customer",
        "public.djstripe_webhookeventtrigger",
    } <= set(named)  # fmt: skip
    assert before["statements"]
    assert before["broken"] == set()

    done = erasure.erase(ada.pk, by=ada)
    assert set(done.accounts) == {own.pk, second.pk}
    assert naming() == {}
    assert sums() == before

    assert done.stripe_done_at is None
    outbox.relay()
    done.refresh_from_db()
    assert done.stripe_done_at is not None
    assert payments_at.client().v1.customers.retrieve(customer or "").to_dict().get("deleted")
    late = events()[seen:]
    assert EMAIL in json.dumps(late) or BILLING in json.dumps(late), "Stripe tells of it with all it knew"
    for event in late:
        post(event)
    inbox.sweep()
    assert not WebhookInbox.objects.filter(done_at=None).exists()
    assert naming() == {}
    assert sums() == before
    for sealed in Statement.objects.all():
        file = tmp_path / f"{sealed.pk}.csv"
        file.write_bytes("".join(statement_csv.lines(sealed)).encode())
        report = checking.check(file, keyring.read({"keys": signing.listed()}))
        assert (report.wrong, report.not_checked) == ([], [])
        assert statement_pdf.render(sealed, "Atelier")


def test_erased_once_however_often(own: BillingAccount, ada: User) -> None:
    first = erasure.erase(ada.pk, by=ada)
    assert erasure.erase(ada.pk, by=ada).pk == first.pk
    ada.refresh_from_db()
    assert (ada.is_active, ada.has_usable_password(), ada.name) == (False, False, "")
    own.refresh_from_db()
    assert (own.status, Balance.objects.get(pk=own.pk).is_open) == ("closed", False)
    assert Erasure.objects.count() == 1


def test_nothing_is_written_to_whoever_is_erased(own: BillingAccount, ada: User) -> None:
    outbox.put(
        kind="email.balance_low", key="late", payload={"account": str(own.pk), "to": EMAIL, "facts": {}}
    )
    erasure.erase(ada.pk, by=ada)
    outbox.put(kind="email.balance_low", key="later", payload={"account": str(own.pk), "facts": {}})
    outbox.relay()
    assert mail.outbox == []
    assert not OutboxMessage.objects.filter(sent_at=None).exists()


def test_a_failing_stripe_is_asked_again(own: BillingAccount, ada: User, payments_at: Simulator) -> None:
    save_card(own, payments_at)
    payments_at.faults("error", "/v1/customers/*", method="DELETE", times=1)
    done = erasure.erase(ada.pk, by=ada)
    outbox.relay()
    done.refresh_from_db()
    assert done.stripe_done_at is None
    OutboxMessage.objects.filter(sent_at=None).update(next_attempt_at=now())
    outbox.relay()
    done.refresh_from_db()
    assert done.stripe_done_at is not None


def test_others_keep_their_account(own: BillingAccount, ada: User) -> None:
    other = User.objects.create_user("grace@person.example", "x")
    member = Membership.objects.create(account=own, user=other, role="viewer")
    BillingAccount.objects.filter(pk=own.pk).update(email=EMAIL)
    notices.tell(own, "balance_low", unit="credit", balance="50", mark="60")
    with pytest.raises(InvalidState, match="make one of them owner"):
        erasure.erase(ada.pk, by=ada)
    Membership.objects.filter(pk=member.pk).update(role="owner")
    assert erasure.erase(ada.pk, by=ada).accounts == []
    own.refresh_from_db()
    assert (own.status, own.email, own.name) == ("active", other.email, COMPANY)
    assert not any(EMAIL in row for _, row in rows())


def _owing(own: BillingAccount) -> None:
    Balance.objects.filter(pk=own.pk).update(credit_limit=100_000_000)
    spend(own, 60)


def _plan(own: BillingAccount) -> None:
    price_lists.load("toon")
    snapshot.refresh()
    BillingAccount.objects.filter(pk=own.pk).update(profile="toon")
    subscriptions.start(own.pk, "pro")


@pytest.mark.parametrize(
    ("live", "says"),
    [
        (lambda own: hold(own.pk, 5), "1 request is still running"),
        (_owing, "owes 10\xa0credits"),
        (_plan, "Plan Pro runs until"),
    ],
    ids=["held", "owing", "plan"],
)
def test_what_is_open_has_to_be_done_first(
    own: BillingAccount, ada: User, live: Callable[[BillingAccount], Any], says: str
) -> None:
    live(own)
    with pytest.raises(InvalidState, match=says), transaction.atomic():
        erasure.erase(ada.pk, by=ada)
    own.refresh_from_db()
    assert (own.status, own.email) == ("active", BILLING)


def test_what_was_paid_for_and_not_used_has_to_be_used_first(
    own: BillingAccount, ada: User, payments_at: Simulator
) -> None:
    payment = start(own)
    assert "is not finished" in " ".join(map(str, erasure.obstacles(ada)))
    payments_at.pay(payment.checkout_url)
    topups.complete(payment.pk)
    assert [obstacle.sentence for obstacle in closing.obstacles(own)] == [
        "250\xa0credits paid for and not used; spend that, ask for a refund on the purchase's own page, or ask us."
    ]
    spend(own, 300)
    assert erasure.erase(ada.pk, by=ada).accounts == [own.pk]


def test_nobody_pays_into_or_joins_what_was_closed_meanwhile(own: BillingAccount, ada: User) -> None:
    """With the account and the invitation as they were read before."""
    friend = User.objects.create_user("grace@person.example", "x")
    EmailAddress.objects.create(user=friend, email=friend.email, verified=True, primary=True)
    before = BillingAccount.objects.get(pk=own.pk)
    _, token = invitations.invite(account=own, email=friend.email, role="viewer", invited_by=ada)
    closing.close(own.pk, by=ada)
    with pytest.raises(InvalidState, match="closed"):
        start(before)
    with pytest.raises(InvitationNotValid):
        invitations.accept(token=token, user=friend)
    assert not Payment.objects.filter(account=own).exists()


def test_staff_say_why_and_are_not_erased_themselves(own: BillingAccount, ada: User, staff: User) -> None:
    with pytest.raises(InvalidRequest):
        erasure.erase(ada.pk, by=staff)
    with pytest.raises(InvalidState, match="one of the staff"):
        erasure.erase(staff.pk, by=staff)
    assert (
        erasure.erase(ada.pk, by=staff, reason=f"Letter from {NAME.upper()}").reason == "Letter from [erased]"
    )
    assert naming() == {}
