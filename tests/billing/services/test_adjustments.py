"""What one of the staff may adjust alone, and what takes two: posted once, as asked, by somebody else's word."""

import threading
import uuid
from collections.abc import Callable
from functools import partial
from importlib import import_module

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils.timezone import now

from accounts.models import BillingAccount, User
from billing.errors import Forbidden, InsufficientCredits, InvalidRequest, InvalidState
from billing.ledger import balances
from billing.ledger.models import Transaction
from billing.models import AdjustmentRequest, StatusChange
from billing.services import adjustments, reconciliation
from billing.services.adjustments import adjust
from catalog import snapshot
from catalog.models import Profile
from tests.billing.ledger.conftest import CREDIT, hold
from tests.billing.services.test_reconciliation_money import damage

LIMIT = 500 * CREDIT
"""Of profile ``ads``."""


@pytest.fixture
def staff(db: None) -> tuple[User, User]:
    return (
        User.objects.create_superuser("ann@portal.example", "x"),
        User.objects.create_superuser("bo@portal.example", "x"),
    )


def ask(account: BillingAccount, micros: int, by: User, nonce: uuid.UUID | None = None) -> AdjustmentRequest:
    return adjust(
        account_id=account.pk, micros=micros, reason="Outage", staff=by, nonce=nonce or uuid.uuid4()
    )


def posted() -> list[int]:
    return list(Transaction.objects.filter(kind="adjustment").values_list("amount", flat=True))


def broken() -> set[str]:
    return {finding.name for finding in reconciliation.run() if finding.breaches}


@pytest.mark.parametrize(
    ("micros", "status"),
    [(LIMIT, "within"), (LIMIT + 1, "pending"), (-50 * CREDIT, "within"), (-LIMIT - 1, "pending")],
)
def test_the_limit_counts_in_both_directions(
    account: BillingAccount, staff: tuple[User, User], micros: int, status: str
) -> None:
    asked = ask(account, micros, staff[0])
    assert (asked.status, asked.approve_above) == (status, LIMIT)
    assert posted() == ([micros] if status == "within" else [])
    assert broken() == set()


def test_it_is_posted_when_another_one_approves(account: BillingAccount, staff: tuple[User, User]) -> None:
    ann, bo = staff
    asked = ask(account, 600 * CREDIT, ann)
    assert balances.of(account.pk).balance == 50 * CREDIT
    done = adjustments.approve(asked.pk, by=bo)
    assert (done.status, done.asked_by, done.decided_by) == ("approved", ann, bo)
    made = Transaction.objects.get(kind="adjustment")
    assert (made.pk, made.amount, made.description) == (done.transaction_id, 600 * CREDIT, "Outage")
    assert balances.of(account.pk).balance == 650 * CREDIT
    noted = StatusChange.objects.filter(subject="adjustment").values_list("was", "became")
    assert list(noted) == [("", "pending"), ("pending", "approved")]
    with pytest.raises(InvalidState):
        adjustments.approve(asked.pk, by=bo)
    assert (posted(), broken()) == ([600 * CREDIT], set())


def test_whoever_asked_cannot_decide(account: BillingAccount, staff: tuple[User, User]) -> None:
    ann, _ = staff
    asked = ask(account, 600 * CREDIT, ann)
    with pytest.raises(Forbidden):
        adjustments.approve(asked.pk, by=ann)
    with pytest.raises(Forbidden):
        adjustments.decline(asked.pk, by=ann, reason="No")
    with pytest.raises(IntegrityError, match="adjustment_approved_by_another"), transaction.atomic():
        AdjustmentRequest.objects.filter(pk=asked.pk).update(
            status="declined", decided_by=ann, decided_at=now(), decided_because="No"
        )
    assert posted() == []


def test_declined_says_why_and_posts_nothing(account: BillingAccount, staff: tuple[User, User]) -> None:
    ann, bo = staff
    nonce = uuid.uuid4()
    asked = ask(account, 600 * CREDIT, ann, nonce)
    with pytest.raises(InvalidRequest):
        adjustments.decline(asked.pk, by=bo, reason=" ")
    assert adjustments.decline(asked.pk, by=bo, reason="Ask sales first").decided_because == "Ask sales first"
    with pytest.raises(InvalidState):
        adjustments.approve(asked.pk, by=bo)
    assert ask(account, 600 * CREDIT, ann, nonce).status == "declined"
    assert (posted(), broken()) == ([], set())


def test_a_form_sent_again_asks_once(account: BillingAccount, staff: tuple[User, User]) -> None:
    nonce = uuid.uuid4()
    first = ask(account, 600 * CREDIT, staff[0], nonce)
    assert ask(account, 600 * CREDIT, staff[0], nonce).pk == first.pk
    with pytest.raises(InvalidState):
        ask(account, 700 * CREDIT, staff[0], nonce)
    assert AdjustmentRequest.objects.count() == 1


def test_a_form_sent_again_after_the_limit_was_lowered_is_still_the_one_posted(
    account: BillingAccount, staff: tuple[User, User]
) -> None:
    nonce = uuid.uuid4()
    first = ask(account, 400 * CREDIT, staff[0], nonce)
    limit_is({"credit": "10"})
    assert ask(account, 400 * CREDIT, staff[0], nonce).pk == first.pk
    assert (posted(), broken()) == ([400 * CREDIT], set())


def limit_is(by_unit: dict[str, str]) -> None:
    settings = {**Profile.objects.get(pk="ads").settings, "adjustments": {"approve_above": by_unit}}
    Profile.objects.filter(pk="ads").update(settings=settings)
    snapshot.refresh()


def test_a_unit_without_a_limit_has_fifty(account: BillingAccount, staff: tuple[User, User]) -> None:
    limit_is({"USD": "7"})
    assert ask(account, 50 * CREDIT, staff[0]).status == "within"
    assert ask(account, 51 * CREDIT, staff[0]).status == "pending"


def test_what_is_spent_meanwhile_cannot_be_taken_and_stays_pending(
    account: BillingAccount, staff: tuple[User, User]
) -> None:
    limit_is({"credit": "10"})
    asked = ask(account, -40 * CREDIT, staff[0])
    hold(account.pk, 30)
    with pytest.raises(InsufficientCredits):
        adjustments.approve(asked.pk, by=staff[1])
    asked.refresh_from_db()
    assert (asked.status, posted()) == ("pending", [])


def test_what_is_asked_for_stays_as_it_was(account: BillingAccount, staff: tuple[User, User]) -> None:
    asked = ask(account, 600 * CREDIT, staff[0])
    for change in ({"micros": 9}, {"asked_by": staff[1]}, {"approve_above": 10**12}):
        with pytest.raises(Exception, match="Cannot update"), transaction.atomic():
            AdjustmentRequest.objects.filter(pk=asked.pk).update(**change)
    with pytest.raises(Exception, match="Cannot delete"), transaction.atomic():
        asked.delete()


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("UPDATE billing_adjustmentrequest SET micros = micros + 1 WHERE status = 'approved'",
         {"adjustments_posted_once"}),
        ("DELETE FROM billing_adjustmentrequest WHERE status = 'approved'",
         {"adjustments_approved", "states_as_noted"}),
        ("UPDATE billing_adjustmentrequest SET approve_above = 1 WHERE status = 'within'",
         {"adjustments_approved"}),
        ("UPDATE billing_adjustmentrequest SET status = 'pending', transaction_id = NULL WHERE status = 'approved'",
         {"adjustments_approved", "adjustments_posted_once", "states_as_noted"}),
    ],
)  # fmt: skip
def test_reconcile_finds_what_went_past_the_rule(
    account: BillingAccount, staff: tuple[User, User], sql: str, names: set[str]
) -> None:
    ask(account, 100 * CREDIT, staff[0])
    adjustments.approve(ask(account, 600 * CREDIT, staff[0]).pk, by=staff[1])
    assert broken() == set()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for name in ("adjustment_alone_within_limit", "adjustment_posted_fits", "adjustment_decided_fits"):
            cursor.execute(f"ALTER TABLE billing_adjustmentrequest DROP CONSTRAINT {name}")
    damage(sql)
    assert broken() == names


def at_once(acts: list[Callable[[], object]]) -> list[str]:
    """Each on a connection of its own, together; the names of what they raised, or "done"."""
    barrier, answers = threading.Barrier(len(acts)), []

    def run(act: Callable[[], object]) -> None:
        try:
            barrier.wait()
            act()
            answers.append("done")
        except Exception as error:
            answers.append(type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(answers)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_approved_by_two_and_declined_by_a_third_at_once_it_is_decided_once(
    account: BillingAccount, staff: tuple[User, User]
) -> None:
    ann, bo = staff
    cy = User.objects.create_superuser("cy@portal.example", "x")
    for round_ in range(1, 21):
        asked = ask(account, 600 * CREDIT, ann)
        answers = at_once(
            [
                partial(adjustments.approve, asked.pk, by=bo),
                partial(adjustments.approve, asked.pk, by=cy),
                partial(adjustments.decline, asked.pk, by=cy, reason="No"),
            ]
        )
        assert answers == ["InvalidState", "InvalidState", "done"], round_
        asked.refresh_from_db()
        keyed = Transaction.objects.filter(key=f"adjustment:{asked.nonce.hex}").count()
        assert keyed == (1 if asked.status == "approved" else 0)
    approved = AdjustmentRequest.objects.filter(status="approved").count()
    assert balances.of(account.pk).balance == (50 + 600 * approved) * CREDIT
    assert broken() == set()


def test_what_was_posted_before_there_were_limits_is_noted_and_no_breach(
    account: BillingAccount, staff: tuple[User, User]
) -> None:
    ask(account, 400 * CREDIT, staff[0])
    damage("DELETE FROM billing_adjustmentrequest")
    damage("DELETE FROM billing_statuschange WHERE subject = 'adjustment'")
    assert broken() == {"adjustments_approved"}
    migration = import_module("billing.migrations.0012_adjustment_requests")
    with connection.cursor() as cursor:
        cursor.execute(migration.EARLIER)
    row = AdjustmentRequest.objects.get()
    assert (row.status, row.micros, row.asked_by, row.reason) == (
        "earlier",
        400 * CREDIT,
        staff[0],
        "Outage",
    )
    assert broken() == set()
