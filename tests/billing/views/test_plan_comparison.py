"""Plans side by side: figures, gates, and what the last 30 days would have cost under each."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.ledger.models import Charge
from billing.selectors import plan_comparison, plan_costs
from billing.selectors.plan_comparison import Comparison
from billing.services.accounts import open_account
from catalog import snapshot
from catalog.models import AIModel
from tests import price_lists
from tests.billing.views.conftest import SignIn
from tests.billing.views.test_pricing import words

DOLLAR = 1_000_000


@pytest.fixture
def toon(ads: None) -> BillingAccount:
    price_lists.load("toon")
    snapshot.refresh()
    return open_account(
        name="Toon", email="t@example.com", profile="toon", plan="starter", mode="subscription"
    )


@pytest.fixture
def sites(ads: None) -> BillingAccount:
    price_lists.load("sites")
    snapshot.refresh()
    return open_account(name="Sites", email="s@example.com", profile="sites", plan="basic")


def settled(account: BillingAccount, model: str, operation: str, times: int = 1, **fields: Any) -> None:
    """Work of yesterday; what it cost then does not matter, for it is priced again."""
    at = now() - timedelta(days=1)
    values = {"authorized_at": at, "expires_at": at, "finished_at": at, "parameters": {}, **fields}
    for _ in range(times):
        Charge.objects.create(
            account_id=account.pk, unit=account.unit, amount=1, cost=1, status="settled",
            model=model, operation=operation, description=model, **values,
        )  # fmt: skip


def compared(account: BillingAccount) -> Comparison:
    found = plan_comparison.of(account.profile, "en", account)
    assert found is not None
    return found


def costs(account: BillingAccount) -> dict[str, Any]:
    return {column.name: column.cost for column in compared(account).columns}


def test_what_is_switched_off_is_not_compared(sites: BillingAccount) -> None:
    def labels() -> str:
        return " ".join(row.label for row in compared(sites).rows)

    assert "Flux Schnell" in labels()
    AIModel.objects.filter(profile="sites", slug="flux-schnell").update(active=False)
    snapshot.refresh()
    assert "Flux Schnell" not in labels()


def test_the_current_plan_is_marked(toon: BillingAccount) -> None:
    assert [column.name for column in compared(toon).columns if column.is_current] == ["Starter"]


def test_what_a_plan_includes_is_not_paid_twice(toon: BillingAccount) -> None:
    """60 relights at 3 credits: 180 credits, 80 beyond Starter at 0.16 USD each."""
    settled(toon, "gemini-pro", "relight", 60)
    found = costs(toon)
    assert (found["Starter"].micros, found["Starter"].beyond) == (16 * DOLLAR + 80 * 160_000, 80 * DOLLAR)
    assert (found["Pro"].micros, found["Pro"].beyond) == (39 * DOLLAR, 0)
    assert found["Free"].micros == 180 * 160_000


def test_what_cannot_be_had_that_way_has_no_figure(toon: BillingAccount) -> None:
    settled(toon, "gemini-pro", "video-10s")
    assert (costs(toon)["Pay-per-use"].micros, costs(toon)["Pay-per-use"].refused) == (None, 1)


def test_pay_per_use_is_at_its_rates(toon: BillingAccount) -> None:
    settled(toon, "nano-banana-2", "generate", 3, outputs={"count": 2})
    assert costs(toon)["Pay-per-use"].micros == 6 * 72_000


def test_gates_and_counts_of_a_plan_refuse(sites: BillingAccount) -> None:
    settled(sites, "flux-pro", "generate")
    settled(sites, "site", "generate", 3)
    found = costs(sites)
    assert (found["Basic"].refused, found["Pro"].refused) == (2, 0)


def test_older_voided_and_others_work_is_left_out(toon: BillingAccount, account: BillingAccount) -> None:
    settled(toon, "gemini-pro", "relight", authorized_at=now() - timedelta(days=31))
    settled(account, "static", "generate")
    assert compared(toon).days == plan_costs.LastDays((), plan_costs.PERIOD)
    assert all(cost is None for cost in costs(toon).values())


def test_with_very_many_charges_the_newest_are_stretched(
    toon: BillingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_costs, "MOST_CHARGES", 10)
    settled(toon, "nano-banana-2", "generate", 12)
    days = plan_costs.last_days(toon)
    assert (days.charges, days.is_part) == (10, True)
    assert 29 * 720_000 < costs(toon)["Pay-per-use"].micros <= 30 * 720_000


def test_gated_things_are_named_at_the_plans_that_open_them(sites: BillingAccount) -> None:
    rows = {row.label: [cell.has for cell in row.cells] for row in compared(sites).rows}
    [flux] = [has for label, has in rows.items() if label.startswith("Flux Pro")]
    assert flux == [False, True, True]
    assert next(has for label, has in rows.items() if "Nano Banana Pro" in label and "output" in label) == [
        False, False, True,
    ]  # fmt: skip


def test_the_plan_page_shows_it(toon: BillingAccount, sign_in: SignIn) -> None:
    settled(toon, "gemini-pro", "relight", 2)
    said = words(sign_in(toon, "viewer").get("/plan").content.decode())
    assert "Compare plans" in said
    assert "Your last 30 days2 requests" in said.replace("days 2", "days2")


def test_a_profile_without_plans_has_nothing_to_compare(account: BillingAccount) -> None:
    assert plan_comparison.of("ads", "en", account) is None
