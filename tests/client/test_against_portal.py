"""The client against the portal itself, over real HTTP: an account in credits and one in EUR."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from portal_client import (
    Charge,
    Customer,
    Delivery,
    Forbidden,
    IdempotencyConflict,
    InsufficientCredits,
    InvalidRequest,
    InvalidState,
    NewCharge,
    NotFound,
    NotOffered,
    Portal,
    Unauthorized,
)

from tests.live import LivePortal

pytestmark = pytest.mark.slow


class Account:
    """A billing account of its own, shared by this file's tests: they compare with what was before."""

    def __init__(self, live: LivePortal, profile: str, credits: str) -> None:
        email = f"client-{profile}@example.com"
        created = live.manage(
            "create_account", "--email", email, "--profile", profile, "--credits", credits, "--json"
        )
        self.id: str = created["account"]
        self.key: str = created["api_key"]
        self.portal = Portal(live.url, self.key)

    def work(self, model: str, reference: str | None = None, **parameters: object) -> NewCharge:
        return NewCharge(Customer(api_key=self.key), model, "generate", parameters, reference=reference)

    def now(self) -> Decimal:
        return self.portal.balance().balance


@pytest.fixture(scope="module")
def service(live_portal: LivePortal) -> Iterator[Portal]:
    key = live_portal.manage("create_service_key", "--name", "client tests", "--json")["api_key"]
    with Portal(live_portal.url, key) as portal:
        yield portal


@pytest.fixture(scope="module")
def credits(live_portal: LivePortal) -> Account:
    """50 credits of welcome bonus and 1,000 given."""
    return Account(live_portal, "ads", "1000")


@pytest.fixture(scope="module")
def euros(live_portal: LivePortal) -> Account:
    """0.50 EUR of trial grant and 10 EUR given."""
    return Account(live_portal, "images", "10")


def test_balance_tells_where_the_account_stands(credits: Account) -> None:
    balance = credits.portal.balance()
    assert (balance.account, balance.unit, balance.balance) == (credits.id, "credit", Decimal(1050))
    assert balance.pricing == {"static": Decimal(5), "full": Decimal(15)}
    assert balance.credit_price is not None
    assert balance.credit_price.amount == Decimal("0.1")
    assert {grant.source for grant in balance.grants} == {"bonus", "admin"}


def test_prices_are_public_and_narrow_to_the_account(live_portal: LivePortal, euros: Account) -> None:
    with Portal(live_portal.url) as anybody:
        assert {model.id for model in anybody.pricing().models} == {"static", "full"}
    mine = euros.portal.pricing()
    assert mine.unit == "EUR"
    assert any(price.approximate for model in mine.models for price in model.operations)


def test_estimate_and_dry_run_agree_and_write_nothing(euros: Account, service: Portal) -> None:
    estimate = euros.portal.estimate("seedream-4-5", parameters={"count": 3})
    dry = service.authorize(euros.work("seedream-4-5", count=3), dry_run=True)
    assert dry.cost_estimate == estimate.cost_estimate == sum(line.amount for line in estimate.lines)
    assert estimate.available_after == euros.now() - estimate.cost_estimate
    assert euros.portal.balance().held == 0


def test_a_hold_is_settled_at_the_actual_cost(euros: Account, service: Portal) -> None:
    before = euros.now()
    held = service.authorize(euros.work("seedream-4-5", count=2))
    assert (held.status, held.hold) == ("authorized", held.metadata.cost_estimate)
    assert euros.portal.balance().held == held.hold
    delivery = Delivery("own", "Our own machines", "seedream-4-5-fast", "run-7")
    settled = service.settle(held.id, cost=Decimal("0.0371"), delivery=delivery)
    assert (settled.status, settled.metadata.cost) == ("settled", Decimal("0.0371"))
    assert settled.metadata.executed_model == "seedream-4-5-fast"
    assert settled.returned is not None
    assert held.hold is not None
    assert settled.returned == held.hold - Decimal("0.0371")
    assert euros.now() == before - Decimal("0.0371")
    row = next(euros.portal.usage(type="usage", model="seedream-4-5"))
    assert (row.amount, row.charge) == (Decimal("-0.0371"), held.id)


def test_phases_are_reported_while_the_work_goes_on(live_portal: LivePortal, service: Portal) -> None:
    builder = Account(live_portal, "sites", "100")
    site = service.authorize(builder.work("site"))
    told = service.report(site.id, {"hero-image": {"cost": Decimal(41)}, "motion-video": "failed"})
    assert (told.status, told.metadata.cost, told.returned) == ("authorized", Decimal(41), Decimal(275))
    running = service.charge(site.id)
    assert [(phase.id, phase.status) for phase in running.reported] == [
        ("hero-image", "succeeded"),
        ("motion-video", "failed"),
    ]
    assert running.hold == told.hold == builder.portal.balance().held == Decimal(325)
    settled = service.settle(site.id, outputs={"phases": {"html-assembly": {"tokens": 9000}}})
    assert (settled.status, settled.metadata.cost) == ("settled", Decimal(50))


def test_outputs_are_priced_by_the_portal(euros: Account, service: Portal) -> None:
    held = service.authorize(euros.work("seedream-4-5", count=4))
    assert held.hold is not None
    settled = service.settle(held.id, outputs={"count": 2})
    assert settled.metadata.cost == held.hold / 2


def test_a_voided_hold_costs_nothing(euros: Account, service: Portal) -> None:
    before = euros.portal.balance().available
    held = service.authorize(euros.work("seedream-4-5"))
    assert service.void(held.id, reason="generation failed").status == "voided"
    assert euros.portal.balance().available == before
    with pytest.raises(InvalidState):
        service.settle(held.id, cost=Decimal("0.01"))


def test_charged_on_acceptance_and_refunded(credits: Account, service: Portal) -> None:
    before = credits.now()
    charge = service.authorize(credits.work("static"))
    assert (charge.status, charge.metadata.cost, charge.balance) == ("settled", Decimal(5), before - 5)
    refunded = service.refund(charge.id, reason="delivery failed")
    assert (refunded.status, refunded.balance) == ("refunded", before)
    newest = [row.type for _, row in zip(range(2), credits.portal.usage(page_size=1), strict=False)]
    assert newest == ["refund", "usage"]


def test_charges_are_found_by_reference_and_by_their_customer_only(
    credits: Account, euros: Account, service: Portal
) -> None:
    charge = service.authorize(credits.work("static", "job-1842"))
    assert [found.id for found in service.charges(reference="job-1842")] == [charge.id]
    assert credits.portal.charge(charge.id).metadata.cost == Decimal(5)
    assert next(credits.portal.charges()).id == charge.id
    with pytest.raises(NotFound):
        euros.portal.charge(charge.id)


def test_the_same_key_is_one_charge(credits: Account, service: Portal) -> None:
    before = credits.now()
    first = service.authorize(credits.work("static"), idempotency_key="once")
    assert service.authorize(credits.work("static"), idempotency_key="once").id == first.id
    with pytest.raises(IdempotencyConflict):
        service.authorize(credits.work("full"), idempotency_key="once")
    assert credits.now() == before - 5


def test_a_batch_answers_each_item(credits: Account, service: Portal) -> None:
    before = credits.now()
    wanted = [credits.work("static"), credits.work("nothing"), credits.work("full")]
    first, second, third = service.batch(wanted)
    assert isinstance(first, Charge)
    assert isinstance(second, NotOffered)
    assert isinstance(third, Charge)
    assert credits.now() == before - 20


def test_a_402_names_amounts_and_remedies(credits: Account, service: Portal) -> None:
    with pytest.raises(InsufficientCredits) as caught:
        service.authorize(credits.work("static", count=500))
    assert (caught.value.required, caught.value.available) == (Decimal(2500), credits.now())
    assert caught.value.unit == "credit"
    assert "add_funds" in {remedy.code for remedy in caught.value.remedies}


def test_keys_are_verified(credits: Account, service: Portal) -> None:
    known = service.verify_key(credits.key)
    assert (known.valid, known.account, known.mode) == (True, credits.id, "prepaid")
    assert service.verify_key("bpk_nobody").account is None


def test_auto_recharge_is_read_and_written(credits: Account) -> None:
    rule = credits.portal.auto_recharge()
    assert (rule.enabled, rule.threshold, rule.amount) == (False, Decimal(20), Decimal(25))
    changed = credits.portal.set_auto_recharge(enabled=False, threshold=Decimal(30), amount=Decimal(50))
    assert (changed.threshold, changed.amount, changed.monthly_cap) == (Decimal(30), Decimal(50), None)
    assert credits.portal.auto_recharge() == changed


def test_the_spending_limit_is_read_written_and_taken_away(credits: Account) -> None:
    assert credits.portal.set_spending_limit(Decimal(40)).limit == Decimal(40)
    assert credits.portal.spending_limit().limit == Decimal(40)
    assert credits.portal.set_spending_limit(None).limit is None


def test_a_topup_leads_to_a_checkout_page(credits: Account) -> None:
    assert credits.portal.topup(Decimal(25), "USD").startswith("http")


def test_refusals_are_told_apart(live_portal: LivePortal, credits: Account, service: Portal) -> None:
    with pytest.raises(Unauthorized), Portal(live_portal.url, "bpk_mistyped") as mistyped:
        mistyped.balance()
    with pytest.raises(Forbidden):
        credits.portal.authorize(credits.work("static"))
    with pytest.raises(InvalidRequest) as caught:
        credits.portal.estimate("static", parameters={"count": 0})
    assert "count" in caught.value.errors[0].field
