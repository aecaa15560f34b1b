"""Each promise about payments, limits and states is found broken when it is, and named."""

import uuid

import pytest
from django.db import connection
from django.utils.timezone import now

from accounts import keys
from accounts.models import BillingAccount
from billing.ledger import key_limits, refunds
from billing.ledger.holds import FinishRequest, finish, place
from billing.ledger.refunds import refund_charge
from billing.models import Payment, Reversal, StatusChange
from billing.services import accounts, limits, payments, reconciliation, reversals
from billing.services.reconciliation.transitions import ALLOWED
from catalog import snapshot
from tests import price_lists
from tests.billing.ledger.conftest import CREDIT, OpenAccount, hold, open_account, settle, wanted

__all__ = ["open_account"]

pytestmark = pytest.mark.django_db


def broken() -> set[str]:
    return {finding.name for finding in reconciliation.run() if finding.breaches}


def damage(sql: str) -> None:
    """What somebody with the database's own rights can do; each must change something."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql)
        assert cursor.rowcount > 0, sql
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


@pytest.fixture
def paid(ads: None) -> Payment:
    """A paid top-up on profile ``images``, partly refunded; all is well."""
    price_lists.load("images")
    snapshot.refresh()
    account = accounts.open_account(name="Lumen", email="pay@lumen.example", profile="images")
    payment = Payment.objects.create(
        account=account, purpose="topup", route="checkout", cash_minor=2000, tax_minor=380, currency="EUR",
        credits=20 * CREDIT, unit="EUR",
    )  # fmt: skip
    for status in ("submitted", "succeeded"):
        payment.status = status
        if status == "succeeded":
            _credit(payment)
        payment.save()
    _refund(payment)
    assert broken() == set()
    return payment


def _credit(payment: Payment) -> None:
    payments._credit(payment)
    payment.finished_at = now()


def _refund(payment: Payment) -> None:
    reversal = Reversal.objects.create(
        payment=payment, kind="refund", stripe_id="re_1", status="succeeded", cash_minor=1190
    )
    reversals._take_back(reversal)
    reversal.save()


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("topups_paid", "UPDATE billing_payment SET status = 'failed', transaction_id = NULL"),
        ("payments_credited_once", "UPDATE billing_payment SET credits = credits + 1"),
        ("payments_credited_once", "UPDATE ledger_transaction SET account_id = gen_random_uuid() WHERE kind = 'topup'"),
        ("payments_credited_once", "UPDATE billing_payment SET cash_minor = cash_minor + 1"),
        ("payments_credited_once", "UPDATE billing_payment SET currency = 'USD'"),
        ("payments_credited_once", "UPDATE billing_payment SET purpose = 'auto_recharge'"),
        (
            "transactions_posted",
            "UPDATE ledger_posting SET ledger_account = 'promotions'"
            " WHERE ledger_account = 'stripe_clearing' AND amount < 0",
        ),
        (
            "transactions_posted",
            "UPDATE ledger_posting SET ledger_account = 'revenue' WHERE ledger_account = 'stripe_clearing' AND amount > 0",
        ),
        ("transactions_posted", "UPDATE ledger_posting SET account_id = gen_random_uuid() WHERE account_id IS NULL"),
        ("grants_as_posted", "UPDATE ledger_grant SET source = 'trial' WHERE source = 'topup'"),
        ("grants_as_posted", "UPDATE ledger_grant SET amount = amount + 1 WHERE source = 'topup'"),
        ("grants_as_posted", "UPDATE ledger_grant SET reference = 'other' WHERE source = 'topup'"),
        ("grants_as_posted", "DELETE FROM ledger_grant WHERE source = 'topup'"),
        ("grants_used_as_noted", "DELETE FROM ledger_grantuse"),
        ("refunds_unspent_only", "UPDATE ledger_grantuse SET amount = amount - 1"),
        ("refunds_unspent_only", "UPDATE ledger_grant SET transaction_id = gen_random_uuid() WHERE source = 'topup'"),
        ("refunds_unspent_only", "UPDATE billing_reversal SET withdrawn = withdrawn + 1"),
        ("reversals_within_payments", "UPDATE billing_reversal SET cash_minor = 2381"),
        ("clawbacks_match", "UPDATE billing_reversal SET withdrawn = withdrawn - 1"),
        ("grants_of_own_account", "UPDATE ledger_grant SET account_id = gen_random_uuid() WHERE source = 'topup'"),
        ("grants_of_own_account", "UPDATE ledger_transaction SET account_id = gen_random_uuid() WHERE kind = 'refund'"),
        (
            "paid_credits_good_as_agreed",
            "UPDATE ledger_grant SET expires_at = expires_at + interval '1 second' WHERE source = 'topup'",
        ),
        ("paid_credits_good_as_agreed", "UPDATE ledger_grant SET expires_at = NULL WHERE source = 'topup'"),
        ("states_as_noted", "UPDATE billing_payment SET status = 'quarantined', transaction_id = NULL"),
        ("states_as_noted", "UPDATE billing_reversal SET status = 'canceled'"),
        ("states_as_noted", "DELETE FROM billing_statuschange WHERE became = 'submitted'"),
        ("states_as_noted", "DELETE FROM billing_statuschange WHERE subject = 'refund'"),
        ("states_moved_as_allowed", "UPDATE billing_statuschange SET was = 'canceled' WHERE became = 'submitted'"),
        (
            "payments_known",
            "UPDATE billing_payment SET status = 'unknown', transaction_id = NULL, finished_at = NULL,"
            " submitted_at = now() - interval '61 minutes'",
        ),
    ],
)  # fmt: skip
def test_what_is_damaged_about_a_payment_is_found(paid: Payment, name: str, sql: str) -> None:
    damage(sql)
    assert name in broken()


def test_credits_of_a_payment_that_was_given_back_do_not_follow_it(paid: Payment) -> None:
    damage("UPDATE billing_reversal SET cash_minor = 2380")
    damage("UPDATE ledger_grant SET expires_at = NULL WHERE source = 'topup'")
    assert "paid_credits_good_as_agreed" not in broken()
    damage("UPDATE billing_reversal SET status = 'failed'")
    assert "paid_credits_good_as_agreed" in broken()


def test_every_change_of_status_is_noted_by_the_database(paid: Payment) -> None:
    noted = list(StatusChange.objects.filter(subject_id=paid.pk).values_list("was", "became"))
    assert noted == [("", "created"), ("created", "submitted"), ("submitted", "succeeded")]


@pytest.mark.parametrize("subject", ALLOWED)
def test_a_change_that_is_not_allowed_is_named(paid: Payment, subject: str) -> None:
    table = ALLOWED[subject]
    was = next(status for status, ways in table.items() if len(ways) < len(table) - 1)
    became = next(status for status in table if status not in (*table[was], was))
    damage(
        "INSERT INTO billing_statuschange (subject, subject_id, was, became, at)"
        f" VALUES ('{subject}', gen_random_uuid(), '{was}', '{became}', now())"
    )
    found = next(item for item in reconciliation.run() if item.name == "states_moved_as_allowed")
    assert found.breaches == 1
    assert found.examples[0].endswith(f": {was} to {became}")


# Charges


@pytest.fixture
def worked(ads: None, open_account: OpenAccount) -> BillingAccount:
    """Ten credits of work under a limit of 30 a month: settled for less, refunded in part and whole, held, void."""
    account = BillingAccount.objects.get(pk=open_account(100))
    limits.set_spending_limit(account.pk, 30 * CREDIT)
    key = keys.create_key(account=account, name="Production")[0]
    key_limits.set_limit(api_key_id=key.pk, account_id=account.pk, monthly=20 * CREDIT, budget=40 * CREDIT)
    settle(hold(account.pk, 6, api_key=key.pk), 4)
    whole, part = (hold(account.pk, 5, api_key=key.pk) for _ in range(2))
    for charge, amount in ((whole, 5), (part, 2)):
        settle(charge, 5)
        refund_charge(charge_id=charge, micros=amount * CREDIT, reason="Broken")
    hold(account.pk, 3, api_key=key.pk)
    place([wanted(account.pk, 4, settle_now=True)])
    assert broken() == set()
    return account


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("spending_counted", "UPDATE ledger_balance SET spend_accepted = spend_accepted - 1"),
        ("key_limits_counted", "UPDATE ledger_keylimit SET accepted = accepted - 1"),
        ("key_limits_counted", "UPDATE ledger_keylimit SET month_accepted = month_accepted + 1"),
        ("key_limits_counted", "UPDATE ledger_charge SET api_key_id = NULL WHERE status = 'authorized'"),
        ("charges_ended_once", "UPDATE ledger_charge SET status = 'settled' WHERE status = 'refunded'"),
        ("charges_ended_once", "UPDATE ledger_charge SET status = 'refunded' WHERE refunded = 0 AND status = 'settled'"),
        ("charges_ended_once", "UPDATE ledger_transaction SET seq = -seq WHERE kind = 'refund'"),
        ("charges_ended_once", "UPDATE ledger_charge SET uncollected = 1 WHERE status = 'authorized'"),
        ("charges_as_posted", "UPDATE ledger_charge SET account_id = gen_random_uuid() WHERE status = 'refunded'"),
        ("charges_as_posted", "UPDATE ledger_charge SET unit = 'EUR' WHERE status = 'refunded'"),
        ("charges_as_posted", "UPDATE ledger_charge SET model = 'other' WHERE status = 'refunded'"),
        ("charges_as_posted", "UPDATE ledger_charge SET reference = 'other' WHERE status = 'refunded'"),
        ("charges_as_posted", "UPDATE ledger_charge SET description = 'Other' WHERE status = 'refunded'"),
        ("charges_as_posted", "UPDATE ledger_charge SET api_key_id = NULL WHERE status = 'refunded'"),
        (
            "charges_as_posted",
            "UPDATE ledger_charge SET finished_at = finished_at + interval '1 day' WHERE status = 'refunded'",
        ),
        (
            "charges_as_posted",
            "UPDATE ledger_charge SET finished_at = finished_at - interval '1 day' WHERE status = 'refunded'",
        ),
        ("charges_as_posted", "DELETE FROM ledger_charge WHERE status = 'refunded'"),
        ("transactions_posted", "UPDATE ledger_posting SET ledger_account = 'breakage' WHERE ledger_account = 'revenue'"),
        (
            "transactions_posted",
            "UPDATE ledger_posting SET ledger_account = 'stripe_clearing' WHERE ledger_account = 'revenue' AND amount < 0",
        ),
        ("grants_used_as_noted", "DELETE FROM ledger_grantuse WHERE amount < 0"),
        ("grants_used_as_noted", "DELETE FROM ledger_grantuse WHERE (transaction_id, grant_id) = ("
         "SELECT transaction_id, grant_id FROM ledger_grantuse WHERE amount > 0 LIMIT 1)"),
        ("grants_of_own_account", "UPDATE ledger_grantuse SET grant_id = gen_random_uuid()"),
        ("limits_noted", "UPDATE ledger_balance SET spend_limit = spend_limit + 1"),
        ("limits_noted", "UPDATE ledger_balance SET credit_limit = credit_limit + 1"),
        ("limits_noted", "UPDATE ledger_limitchange SET spend_limit = NULL"),
        ("limits_noted", "DELETE FROM ledger_limitchange"),
        (
            "answers_kept",
            "INSERT INTO ledger_idempotencyrecord (owner, key, request_hash, result, created_at) VALUES"
            " (gen_random_uuid(), 'k', 'h', jsonb_build_object('code', 'settled', 'id', gen_random_uuid()), now())",
        ),
        (
            "answers_kept",
            "INSERT INTO ledger_idempotencyrecord (owner, key, request_hash, result, created_at)"
            " SELECT gen_random_uuid(), 'k' || n, 'h', jsonb_build_object('code', 'authorized', 'id', c.id), now()"
            " FROM (SELECT id FROM ledger_charge LIMIT 1) c, generate_series(1, 2) n",
        ),
    ],
)  # fmt: skip
def test_what_is_damaged_about_a_charge_is_found(worked: BillingAccount, name: str, sql: str) -> None:
    damage(sql)
    assert name in broken()


def test_what_was_accepted_beyond_the_limit_is_found_and_named(worked: BillingAccount) -> None:
    """Also where the limit was raised, lowered or taken away since: what counts is the one of that moment."""
    damage("UPDATE ledger_balance SET spend_limit = NULL")
    beyond = hold(worked.pk, 20)
    for later in (30, 100, 1, None):
        limits.set_spending_limit(worked.pk, None if later is None else later * CREDIT)
        found = next(item for item in reconciliation.run() if item.name == "limits_kept")
        assert found.examples == (str(beyond),)


def test_what_was_accepted_while_there_was_no_limit_is_no_breach(worked: BillingAccount) -> None:
    limits.set_spending_limit(worked.pk, None)
    hold(worked.pk, 20)
    limits.set_spending_limit(worked.pk, 30 * CREDIT)
    assert broken() == set()


def test_what_came_back_meanwhile_made_room_within_the_limit(worked: BillingAccount) -> None:
    first = hold(worked.pk, 15)
    settle(first, 15)
    refunds.refund_charge(charge_id=first, micros=None, reason="Broken")
    hold(worked.pk, 15)
    assert broken() == set()


def reported(charge: uuid.UUID, stays: int) -> None:
    phases = {"hero": {"status": "succeeded"}}
    report = FinishRequest(
        id=charge, action="report", phases=phases, cost=stays * CREDIT, hold=stays * CREDIT
    )
    assert finish([report])[0]["code"] == "reported"


def test_what_a_report_gave_back_made_room_within_the_limit(worked: BillingAccount) -> None:
    first = hold(worked.pk, 15)
    reported(first, 3)
    hold(worked.pk, 10)
    settle(first, 3, known=1)
    assert broken() == set()


def test_what_a_report_gave_back_later_had_made_no_room(worked: BillingAccount) -> None:
    first = hold(worked.pk, 15)
    damage("UPDATE ledger_balance SET spend_limit = NULL")
    beyond = hold(worked.pk, 15)
    reported(first, 1)
    found = next(item for item in reconciliation.run() if item.name == "limits_kept")
    assert found.examples == (str(beyond),)


def test_a_limit_that_was_lowered_since_is_no_breach(worked: BillingAccount) -> None:
    hold(worked.pk, 15)
    limits.set_spending_limit(worked.pk, 5 * CREDIT)
    assert broken() == set()
