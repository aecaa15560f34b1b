"""Each kind of transaction opens into its story."""

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client

from accounts.models import BillingAccount
from billing.ledger import clock, grants, holds, reports
from billing.ledger.models import Charge, Transaction
from billing.models import Payment, Reversal
from billing.selectors.stories import phase_words
from billing.services import charges
from catalog.models import PriceBook
from tests.billing.ledger.conftest import at
from tests.billing.views.conftest import CREDIT, work


def told(browser: Client, row: Transaction) -> str:
    """The story's words."""
    answer = browser.get(f"/transactions/{row.public_id}")
    assert answer.status_code == 200
    text = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", text).replace("\xa0", " ")


def last(account: BillingAccount) -> Transaction:
    return Transaction.objects.filter(account=account).order_by("-seq")[0]


def settled(account: BillingAccount, hold: int, cost: int, **fields: object) -> Transaction:
    charge = uuid.UUID(work(account, hold, settle_now=False)["id"])
    request = holds.FinishRequest(id=charge, action="settle", cost=cost * CREDIT, **fields)  # type: ignore[arg-type]
    assert holds.finish([request])[0]["code"] == "settled"
    return Transaction.objects.get(charge_id=charge, kind="usage")


def test_a_charge_names_what_was_asked_the_price_version_and_the_grant(
    account: BillingAccount, browser: Client
) -> None:
    book = PriceBook.objects.filter(status="published").first()
    assert book is not None
    work(account, 5, price_book=book.pk, parameters={"resolution": "2K", "count": 1})
    text = told(browser, last(account))
    assert f"By price list version {book.version}" in text
    assert "Asked for count 1, resolution 2K" in text
    bonus = Transaction.objects.get(account=account, kind="bonus")
    assert (
        f"/transactions/{bonus.public_id}"
        in browser.get(f"/transactions/{last(account).public_id}").content.decode()
    )


def test_less_and_more_than_was_held_are_told(account: BillingAccount, browser: Client) -> None:
    assert "less than was held; the rest returned at once" in told(browser, settled(account, 10, 7))
    assert "more than was held; the difference came from what else" in told(browser, settled(account, 10, 12))
    broke = told(browser, settled(account, 10, 500))
    assert "What the balance did not cover was not charged and will not be" in broke
    assert "as the service that did the work gave it 500" in broke
    assert "on the house − 469" in broke


def reported(account: BillingAccount) -> uuid.UUID:
    """Work that holds 10, of which two phases were reported: 3 stayed held."""
    charge = uuid.UUID(work(account, 10, settle_now=False, ttl=60)["id"])
    for known, (phase, stays, cost) in enumerate((("hero-image", 8, 1), ("motion-video", 3, 1))):
        phases = {phase: {"status": "failed" if known else "succeeded"}}
        lines = [{"what": "Hero image", "quantity": "1", "unit_price": "1", "amount": "1"}]
        request = holds.FinishRequest(
            id=charge, action="report", cost=cost * CREDIT, hold=stays * CREDIT, phases=phases, known=known,
            lines=lines, outputs={"phases": phases},
        )  # fmt: skip
        assert holds.finish([request])[0]["code"] == "reported"
    return charge


def test_reported_phases_are_steps_of_the_story(account: BillingAccount, browser: Client) -> None:
    charge = reported(account)
    holds.finish([holds.FinishRequest(id=charge, action="settle", cost=2 * CREDIT, known=2)])
    text = told(browser, last(account))
    held, first, second, end = (text.index(words) for words in (
        "Held 10", "Reported 8 credits held", "Reported 3 credits held", "Settled −2",
    ))  # fmt: skip
    assert held < first < second < end
    assert "Set aside for the estimate Reported" in text, "the hold was the estimate"
    assert "Hero image. Comes to 1 credit so far" in text
    assert "Motion video (failed). Comes to 1 credit so far" in text
    assert "It was less than was held" in text


def test_a_phase_is_written_as_in_the_estimate() -> None:
    phase = reports.ReportedPhase("html-assembly", "failed", datetime.now(UTC))
    lines = [{"what": "Hero image HD"}, {"what": "HTML assembly, by token"}]
    assert phase_words(phase, Charge(estimate_lines=lines)) == "HTML assembly (failed)"
    assert phase_words(phase, Charge()) == "Html assembly (failed)", "where no line has its name"


def test_work_that_timed_out_says_that_its_reported_phases_were_charged(
    account: BillingAccount, browser: Client
) -> None:
    moment = clock.now()
    reported(account)
    at(moment + timedelta(minutes=5))
    assert charges.expire_due() == 1
    text = told(browser, last(account))
    assert "Its time was over: what had been reported by then was charged" in text
    assert "Hero image 1 × 1 1" in text


def test_a_late_settlement_is_told(account: BillingAccount, browser: Client) -> None:
    moment = clock.now()
    charge = uuid.UUID(work(account, 10, settle_now=False, ttl=60)["id"])
    at(moment + timedelta(minutes=5))
    holds.finish([holds.FinishRequest(id=charge, action="settle", cost=10 * CREDIT)])
    assert "after the hold's time was over" in told(browser, last(account)).replace("&#x27;", "'")


def test_a_cost_of_the_service_s_own_shows_the_estimate_as_what_it_was(
    account: BillingAccount, browser: Client
) -> None:
    text = told(browser, settled(account, 10, 7))
    assert "Estimate What" in text
    assert "1 × 10 10 Price" in text
    assert "Actual cost, as the service that did the work gave it 7" in text


def test_an_adjustment_tells_its_reason_and_not_who(account: BillingAccount, browser: Client) -> None:
    grants.add(
        account_id=account.pk, micros=CREDIT, source="admin", kind="adjustment", description="Sorry",
        key="adjustment:1", details={"reason": "Sorry for <b>Tuesday</b>", "staff": "staff@portal.example"},
    )  # fmt: skip
    page = browser.get(f"/transactions/{last(account).public_id}").content.decode()
    assert "Sorry for &lt;b&gt;Tuesday&lt;/b&gt;" in page
    assert "staff@portal.example" not in page


def test_lapsed_credits_lead_to_the_grant_they_were(account: BillingAccount, browser: Client) -> None:
    moment = clock.now()
    given = grants.add(
        account_id=account.pk, micros=3 * CREDIT, source="trial", kind="trial", description="Trial",
        key="trial:1", expires_at=moment + timedelta(days=1),
    )  # fmt: skip
    at(moment + timedelta(days=2))
    grants.expire(account.pk)
    row = last(account)
    assert row.kind == "expiry"
    page = browser.get(f"/transactions/{row.public_id}").content.decode()
    assert given.public_id in page
    assert "Their time was over before they were used" in page


def test_a_topup_and_its_refund_lead_to_each_other(account: BillingAccount, browser: Client) -> None:
    topup = grants.add(
        account_id=account.pk,
        micros=100 * CREDIT,
        source="topup",
        kind="topup",
        description="Top-up",
        key="t:1",
    )
    payment = Payment.objects.create(
        account=account, purpose="topup", route="checkout", status="succeeded", cash_minor=1000, currency="USD",
        credits=100 * CREDIT, unit="credit", transaction_id=topup.pk, card="Visa •••• 4242", finished_at=clock.now(),
    )  # fmt: skip
    taken = grants.withdraw(
        account_id=account.pk, micros=100 * CREDIT, kind="refund", description="Refund of top-up", key="r:1",
        counterpart="stripe_clearing",
    )  # fmt: skip
    Reversal.objects.create(
        payment=payment, kind="refund", stripe_id="re_1", status="succeeded", cash_minor=1000,
        withdrawn=100 * CREDIT, transaction_id=taken.pk,
    )  # fmt: skip
    assert "Visa •••• 4242" in told(browser, topup)
    page = browser.get(f"/transactions/{taken.public_id}").content.decode()
    assert "Refund of a payment" in page
    assert f"/transactions/{topup.public_id}" in page


@pytest.mark.parametrize(
    "kind", ["bonus", "trial", "plan_grant", "adjustment", "invoice", "dispute", "reset"]
)
def test_every_kind_has_a_story(account: BillingAccount, browser: Client, kind: str) -> None:
    grants.add(
        account_id=account.pk, micros=CREDIT, source="admin", kind=kind, description="x", key=f"x:{kind}"
    )
    text = told(browser, last(account))
    assert "What happened" in text
    assert "In the chain" in text


def test_the_link_is_shown_and_computed_again(account: BillingAccount, browser: Client) -> None:
    work(account, 5)
    row = last(account)
    assert bytes(row.hash).hex() in told(browser, row)
    assert "Just computed again" in told(browser, row)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE ledger_transaction SET description = 'Free' WHERE id = %s", [row.pk])
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert "Please tell support" in told(browser, row)
