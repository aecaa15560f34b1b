"""What a plan, a balance, a monthly count or a confirmation opens: the same for estimate, dry run and charge."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from billing.ledger import grants
from billing.ledger.models import Charge
from billing.models import Subscription
from billing.selectors.api import instant
from billing.services.validity import add_months
from tests.billing.api.conftest import Api, Payer, payer
from tests.billing.api.working import authorize, work


@pytest.fixture
def ben(sites: None) -> Payer:
    """Basic on profile sites: 2 full sites a month."""
    ben = payer("Ben", "sites", plan="basic")
    ben.give(9000)
    return ben


def ask(api: Api, model: str, operation: str = "generate", **parameters: Any) -> Any:
    return api.post("/v1/estimate", {"model": model, "operation": operation, "parameters": parameters}).body


def test_two_full_sites_a_month(ben: Payer, studio: Api) -> None:
    """Profile sites: Basic has 2 a month, one that failed does not count, and the refusal says what helps."""
    failed = authorize(studio, ben, model="site")
    assert studio.post(f"/v1/charges/{failed['id']}/void", {"reason": "No phase ran"}).status == 200
    authorize(studio, ben, model="site")
    assert ask(ben.api, "site")["gate"]["monthly"]["used"] == 1
    authorize(studio, ben, model="site")
    refused = studio.post("/v1/charges", work(ben, "site"))
    assert (refused.status, refused.code) == (403, "model_unavailable")
    assert "Basic includes 2 full sites a month" in refused.body["detail"]
    assert "Pro includes 6" in refused.body["detail"]
    assert refused.body["opens"]["plan"] == "pro"
    told = ask(ben.api, "site")
    assert (told["sufficient"], told["gate"]["open"]) == (False, False)
    assert told["closed"] == refused.body["detail"]
    assert told["gate"]["opens"]["resets_at"] == told["gate"]["monthly"]["resets_at"]
    dry = studio.post("/v1/charges?dryRun=true", work(ben, "site"))
    assert dry.body["gate"]["open"] is False
    assert ask(ben.api, "seedream-4-5")["gate"]["open"] is True


def test_a_repeat_of_the_last_one_is_not_a_third(ben: Payer, studio: Api) -> None:
    authorize(studio, ben, model="site")
    body = work(ben, "site")
    first = studio.post("/v1/charges", body, "same").body
    again = studio.post("/v1/charges", body, "same")
    assert (again.status, again.body["id"]) == (202, first["id"])
    assert studio.post("/v1/charges", body, "other").status == 403
    replay = studio.post("/v1/charges", body, "other")
    assert (replay.status, replay.headers["Idempotent-Replayed"]) == (403, "true")


def test_a_batch_counts_within_itself(ben: Payer, studio: Api) -> None:
    reply = studio.post("/v1/charges/batch", {"charges": [work(ben, "site")] * 3}).body["data"]
    assert [entry["status"] for entry in reply] == ["authorized", "authorized", 403]
    assert Charge.objects.filter(account_id=ben.account.pk, count_scope="full-sites").count() == 2


def test_the_count_is_of_the_subscriptions_own_period(ben: Payer, studio: Api) -> None:
    """What was had before the running period began does not count in it; the estimate says when it ends."""
    authorize(studio, ben, model="site")
    anchor = now() - timedelta(days=45)
    changed = Subscription.objects.filter(account=ben.account).update(anchor=anchor)
    if not changed:
        Subscription.objects.create(
            account=ben.account,
            plan="basic",
            status="active",
            anchor=anchor,
            period_ends_at=add_months(anchor, 2),
        )
    begun = add_months(anchor, 1)
    Charge.objects.filter(account_id=ben.account.pk).update(authorized_at=begun - timedelta(seconds=1))
    monthly = ask(ben.api, "site")["gate"]["monthly"]
    assert (monthly["used"], monthly["resets_at"]) == (0, instant(add_months(anchor, 2)))
    authorize(studio, ben, model="site")
    authorize(studio, ben, model="site")
    assert studio.post("/v1/charges", work(ben, "site")).status == 403


def test_a_plan_gate_names_the_plan_that_opens_it(ben: Payer, studio: Api) -> None:
    refused = studio.post("/v1/charges", work(ben, "nano-banana-pro"))
    assert (refused.status, refused.code) == (403, "model_unavailable")
    assert refused.body["opens"] == {"plan": "premium"}
    told = ask(ben.api, "nano-banana-pro")["gate"]
    assert (told["open"], told["reason"], told["opens"]) == (
        False,
        refused.body["detail"],
        {"plan": "premium"},
    )


def test_a_resolution_is_gated_by_itself(ben: Payer) -> None:
    assert ask(ben.api, "seedream-4-5", resolution="1K")["gate"]["open"] is True
    assert ask(ben.api, "seedream-4-5", resolution="4K")["gate"]["opens"] == {"plan": "premium"}


def test_a_balance_gate_says_how_much_opens_it(images: None, studio: Api) -> None:
    """Profile images: 0.01-0.49 opens budget models only."""
    poor = payer("Poor", "images")
    poor.give(1)
    authorize(studio, poor, model="seedream-4-5")
    grants.withdraw(account_id=poor.account.pk, micros=1_000_000, kind="adjustment", description="x", key="x")
    refused = studio.post("/v1/charges", work(poor, "seedream-4-5"))
    assert (refused.status, refused.code) == (403, "model_unavailable")
    assert refused.body["opens"] == {"available": "0.5"}
    assert ask(poor.api, "seedream-4-5")["gate"]["opens"] == {"available": "0.5"}


def test_the_expensive_fallback_is_confirmed_first(ben: Payer, studio: Api) -> None:
    """Profile sites: a full regeneration only after the customer was warned, with the estimate in the warning."""
    body = work(ben, "site", operation="full-regeneration")
    refused = studio.post("/v1/charges", body)
    assert (refused.status, refused.code) == (409, "confirmation_required")
    assert refused.body["cost_estimate"] == ask(ben.api, "site", "full-regeneration")["cost_estimate"]
    assert refused.body["range"] == {"low": "400", "high": "600"}
    assert ask(ben.api, "site", "full-regeneration")["gate"]["confirmation"] is True
    assert studio.post("/v1/charges", {**body, "confirm": True}).status == 202
