"""Estimates are measured against what the work did cost, and holds can follow: bounded, and the estimate stays it."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import BillingAccount
from billing.errors import InsufficientCredits
from billing.ledger import balances, grants
from billing.ledger.models import Charge
from billing.models import EstimateAccuracy
from billing.selectors import api, hold_margins, identities
from billing.selectors.identities import Identity
from billing.services import charges, estimate_accuracy, estimates
from billing.services.accounts import open_account
from billing.services.charges import Caller
from billing.services.deliveries import Result
from billing.services.quotes import Wanted
from catalog import snapshot
from catalog.models import Profile
from catalog.terms import HoldRule

CREDIT = 1_000_000
MODEL = "seedream-4-5"
ESTIMATE = 40_000
"""What one image costs, in micros of EUR."""


@pytest.fixture
def eva(images: None) -> Iterator[BillingAccount]:
    """An account in EUR with 20 to spend; its work is held and settled."""
    account = open_account(name="Eva", email="eva@example.com", profile="images")
    grants.add(
        account_id=account.pk,
        micros=20 * CREDIT,
        source="topup",
        kind="topup",
        description="x",
        key="test:eva",
    )
    hold_margins.expire()
    yield account
    hold_margins.expire()


def customer(account: BillingAccount) -> Identity:
    found = identities.by_account(account.pk)
    assert found is not None
    return found


def ask(account: BillingAccount) -> dict[str, Any]:
    """Authorize one image."""
    body, _ = charges.authorize(customer(account), Wanted(model=MODEL, operation="generate"), Caller())
    return body


def deliver(account: BillingAccount, cost: int) -> None:
    body = ask(account)
    charges.settle(charges.charge_id_of(str(body["id"])), Result(cost=cost), Caller())


def follow(**rule: object) -> None:
    """Switch the setting on for profile images."""
    profile = Profile.objects.get(pk="images")
    profile.settings["hold_follows_estimates"] = rule
    profile.save()
    snapshot.refresh()


def late_work(account: BillingAccount, percents: list[int]) -> None:
    """Deliver work at these percents of its estimate, and measure."""
    for percent in percents:
        deliver(account, ESTIMATE * percent // 100)
    estimate_accuracy.measure()


def test_figures_are_by_profile_model_and_operation(eva: BillingAccount) -> None:
    late_work(eva, [100] * 10 + [90] * 8 + [130, 150])
    row = EstimateAccuracy.objects.get()
    assert (row.profile, row.model, row.operation) == ("images", MODEL, "generate")
    assert (row.count, row.estimated, row.over_hold) == (20, 20 * ESTIMATE, 2)
    assert row.effective == ESTIMATE * (10 * 100 + 8 * 90 + 280) // 100
    # Sorted errors: ten of 0, eight of 10, one of 30, one of 50 percent.
    assert (row.median, row.p95, row.excess) == (0, 300_000, 300_000)


def test_work_not_delivered_free_or_long_ago_says_nothing(eva: BillingAccount) -> None:
    deliver(eva, ESTIMATE)
    body = ask(eva)
    charges.void(charges.charge_id_of(str(body["id"])), "Failed", Caller())
    ask(eva)
    old = Charge.objects.filter(status="settled").get()
    deliver(eva, 2 * ESTIMATE)
    Charge.objects.filter(pk=old.pk).update(authorized_at=now() - timedelta(days=31))
    assert estimate_accuracy.measure() == 1
    assert EstimateAccuracy.objects.get().count == 1


def test_an_absurd_error_is_counted_as_a_large_one(eva: BillingAccount) -> None:
    deliver(eva, ESTIMATE)
    Charge.objects.update(estimate=1, amount=1, cost=10**15, uncollected=0)
    assert estimate_accuracy.measure() == 1
    assert EstimateAccuracy.objects.get().excess == 10**15


def test_measuring_again_forgets_what_is_no_more(eva: BillingAccount) -> None:
    EstimateAccuracy.objects.create(
        profile="images", model="gone", operation="generate", count=1, estimated=1, effective=1, median=0,
        p95=0, excess=0, over_hold=0, measured_at=now(),
    )  # fmt: skip
    late_work(eva, [100])
    assert list(EstimateAccuracy.objects.values_list("model", flat=True)) == [MODEL]


def test_a_hold_is_the_estimate_unless_the_profile_says_otherwise(eva: BillingAccount) -> None:
    late_work(eva, [130] * 20)
    body = ask(eva)
    assert (body["hold"], body["metadata"]) == ("0.04", {"cost_estimate": "0.04"})


def test_a_hold_follows_and_the_estimate_stays_the_estimate(eva: BillingAccount) -> None:
    follow(most_percent="50", least_settled=20)
    late_work(eva, [130] * 20)
    body = ask(eva)
    assert (body["hold"], body["metadata"]) == ("0.052", {"cost_estimate": "0.04"})
    assert balances.of(eva.pk).held == 52_000
    charge = Charge.objects.get(pk=charges.charge_id_of(str(body["id"])))
    assert (charge.amount, charge.estimate) == (52_000, ESTIMATE)
    assert api.charge_body(charge)["metadata"]["cost_estimate"] == "0.04"
    settled, _ = charges.settle(charge.pk, Result(cost=50_000), Caller())
    assert (settled["metadata"]["cost_estimate"], settled["metadata"]["cost"]) == ("0.04", "0.05")
    assert settled["returned"] == "0.002"
    assert balances.of(eva.pk).held == 0


def test_work_settled_as_asked_costs_the_estimate_whatever_was_held(eva: BillingAccount) -> None:
    follow(least_settled=20)
    late_work(eva, [130] * 20)
    body = ask(eva)
    settled, _ = charges.settle(charges.charge_id_of(str(body["id"])), Result(), Caller())
    assert settled["metadata"]["cost"] == "0.04"


def test_it_grows_by_no_more_than_the_bound(eva: BillingAccount) -> None:
    follow(most_percent="25", least_settled=20)
    late_work(eva, [200] * 20)
    assert ask(eva)["hold"] == "0.05"


def test_too_few_settled_requests_change_nothing(eva: BillingAccount) -> None:
    follow(least_settled=20)
    late_work(eva, [130] * 19)
    assert ask(eva)["hold"] == "0.04"


def test_work_that_costs_less_is_held_at_its_estimate(eva: BillingAccount) -> None:
    follow(least_settled=20)
    late_work(eva, [80] * 20)
    assert ask(eva)["hold"] == "0.04"


def test_funds_and_limits_must_cover_the_hold(eva: BillingAccount) -> None:
    follow(least_settled=20)
    late_work(eva, [130] * 20)
    left = balances.of(eva.pk).available
    wanted = Wanted(model=MODEL, operation="generate")
    assert estimates.estimate(customer(eva), wanted)["sufficient"] is True
    grants.withdraw(
        account_id=eva.pk, micros=left - 51_999, kind="adjustment", description="x", key="test:less"
    )
    assert estimates.estimate(customer(eva), wanted)["sufficient"] is False
    with pytest.raises(InsufficientCredits) as refused:
        ask(eva)
    assert refused.value.extra["required"] == "0.052"


def test_nothing_is_read_while_no_profile_asks(eva: BillingAccount) -> None:
    with CaptureQueriesContext(connection) as asked:
        hold_margins.refresh()
    assert not [query for query in asked if "estimateaccuracy" in query["sql"]]
    follow(least_settled=20)
    with CaptureQueriesContext(connection) as asked:
        hold_margins.refresh()
    assert len([query for query in asked if "estimateaccuracy" in query["sql"]]) == 1


def test_an_event_loop_never_waits_for_the_figures(eva: BillingAccount) -> None:
    follow(least_settled=1)
    late_work(eva, [130])
    snapshot.current()

    async def asked() -> int:
        return hold_margins.hold("images", MODEL, "generate", ESTIMATE)

    assert asyncio.run(asked()) in (ESTIMATE, 52_000)
    hold_margins.refresh()
    assert asyncio.run(asked()) == 52_000


@given(st.integers(0, 10**12), st.integers(0, 100), st.integers(-(10**6), 10**8), st.integers(0, 100))
def test_a_hold_is_never_below_the_estimate_nor_above_the_bound(
    estimate: int, settled: int, excess: int, most: int
) -> None:
    rule = HoldRule(most_percent=Decimal(most), least_settled=20)
    held = rule.hold(estimate, settled, excess)
    assert estimate <= held <= estimate + -(-estimate * most // 100)
    if settled < 20 or excess <= 0:
        assert held == estimate


def test_staff_see_the_figures(eva: BillingAccount, admin_client: object) -> None:
    late_work(eva, [100, 130])
    page = admin_client.get("/admin/billing/estimateaccuracy/")  # type: ignore[attr-defined]
    assert page.status_code == 200
    assert "30.0%" in page.content.decode()
