"""What a price book would have made of the last weeks, and that open work keeps the version it was accepted by."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils.timezone import now

from billing.ledger.models import Charge
from billing.models import Offer, PriceLock
from billing.services import price_impact
from catalog import snapshot, versions
from catalog.models import Plan, Price, PriceBook, PriceList
from catalog.pricing import engine
from tests.billing.api.conftest import Api, Payer, ann, bob, catalog, eva, images, studio
from tests.billing.api.working import authorize, hold

__all__ = ["ann", "bob", "catalog", "eva", "images", "studio"]
MODEL = "seedream-4-5"


def draft(profile: str, **amounts: str | None) -> PriceBook:
    """A draft in which models have other prices; None takes the model away."""
    book = versions.new_draft(PriceList.objects.get(profile=profile))
    for model, amount in amounts.items():
        prices = Price.objects.filter(book=book, model__slug=model.replace("_", "-"))
        if amount is None:
            prices.delete()
        else:
            prices.update(amount=Decimal(amount))
    return book


def test_open_work_keeps_its_version_and_new_work_gets_the_new_one(eva: Payer, studio: Api) -> None:
    held = hold(studio, eva)
    versions.publish(draft("images", seedream_4_5="0.4"))
    snapshot.expire()
    settled = studio.post(f"/v1/charges/{held['id']}/settle", {"outputs": {"count": 1}})
    assert settled.body["metadata"]["cost"] == "0.04"
    assert hold(studio, eva)["metadata"] == {"cost_estimate": "0.4"}


def test_a_past_charge_is_what_it_was(eva: Payer, studio: Api) -> None:
    held = hold(studio, eva)
    studio.post(f"/v1/charges/{held['id']}/settle", {})
    before = Charge.objects.values("cost", "cost_lines", "price_book_id").get()
    versions.publish(draft("images", seedream_4_5="0.4"))
    again = studio.post(f"/v1/charges/{held['id']}/settle", {})
    assert again.body["metadata"]["cost"] == "0.04"
    assert Charge.objects.values("cost", "cost_lines", "price_book_id").get() == before


def test_revenue_is_compared_in_all_by_item_and_by_account(ann: Payer, bob: Payer, studio: Api) -> None:
    for _ in range(3):
        authorize(studio, ann)
    authorize(studio, bob, model="full")
    impact = price_impact.preview(draft("ads", static="6"))
    assert (impact.total.charges, impact.total.before, impact.total.after) == (4, 30_000_000, 33_000_000)
    assert impact.items["static", "generate"].difference == 3_000_000
    assert impact.items["full", "generate"].difference == 0
    assert [(row.name, tally.difference) for row, tally in impact.most_affected()] == [("Ann", 3_000_000)]
    assert (impact.affected(), impact.step, impact.unit) == (1, 1, "credit")


def test_outputs_decide_as_they_did_then(eva: Payer, studio: Api) -> None:
    held = hold(studio, eva, parameters={"count": 3})
    studio.post(f"/v1/charges/{held['id']}/settle", {"outputs": {"count": 2}})
    impact = price_impact.preview(draft("images", seedream_4_5="0.05"))
    assert (impact.total.before, impact.total.after) == (80_000, 100_000)


def test_a_cost_the_service_gave_is_kept(eva: Payer, studio: Api) -> None:
    held = hold(studio, eva)
    studio.post(f"/v1/charges/{held['id']}/settle", {"cost": "0.03"})
    impact = price_impact.preview(draft("images", seedream_4_5="0.4"))
    assert (impact.total.before, impact.total.after) == (30_000, 30_000)
    assert impact.kept.charges == 1


def test_what_was_given_back_of_a_charge_is_given_back_of_its_other_price(eva: Payer, studio: Api) -> None:
    held = hold(studio, eva, parameters={"count": 3})
    studio.post(f"/v1/charges/{held['id']}/settle", {"outputs": {"count": 3}})
    studio.post(f"/v1/charges/{held['id']}/refund", {"amount": "0.04", "reason": "One was blurred"})
    same = price_impact.preview(draft("images")).total
    assert (same.charges, same.before, same.after) == (1, 80_000, 80_000)
    Price.objects.filter(book__status="draft", model__slug=MODEL).update(amount=Decimal("0.05"))
    dearer = price_impact.preview(PriceBook.objects.get(status="draft"))
    assert (dearer.total.before, dearer.total.after) == (80_000, 100_000)


def test_what_was_never_collected_is_no_difference(eva: Payer, studio: Api) -> None:
    held = hold(studio, eva)
    studio.post(f"/v1/charges/{held['id']}/settle", {"outputs": {"count": 2}})
    Charge.objects.update(cost=60_000, uncollected=20_000)
    same = price_impact.preview(draft("images")).total
    assert (same.before, same.after) == (60_000, 60_000)


def keep(payer: Payer, **when: Any) -> None:
    """The account keeps the version in force for a time."""
    book = PriceBook.objects.get(price_list__profile=payer.account.profile, status="published")
    PriceLock.objects.create(account=payer.account, book=book, reason="Agreed", **when)


def spread(payer: Payer, studio: Api, *days_ago: int) -> None:
    """A charge for a static ad on each of these days."""
    for days in days_ago:
        authorize(studio, payer)
        moment = now() - timedelta(days=days)
        Charge.objects.filter(pk=Charge.objects.latest("id").pk).update(
            authorized_at=moment, finished_at=moment
        )


def test_a_lock_keeps_the_days_it_holds_in(ann: Payer, studio: Api) -> None:
    spread(ann, studio, 29, 15, 1)
    keep(ann, starts_at=now(), ends_at=now() + timedelta(days=10))
    impact = price_impact.preview(draft("ads", static="6"))
    assert (impact.total.before, impact.total.after) == (15_000_000, 17_000_000)
    assert (impact.kept.charges, impact.affected()) == (1, 1)


def test_a_lock_that_ends_before_the_version_comes_keeps_nothing(ann: Payer, studio: Api) -> None:
    spread(ann, studio, 29, 1)
    keep(ann, starts_at=now() - timedelta(days=9), ends_at=now() + timedelta(days=20))
    book = versions.publish(draft("ads", static="6"), effective_at=now() + timedelta(days=20, minutes=1))
    assert price_impact.preview(book).total.difference == 2_000_000


def test_a_lock_that_begins_later_keeps_the_days_from_then_on(ann: Payer, studio: Api) -> None:
    spread(ann, studio, 29, 15, 1)
    keep(ann, starts_at=now() + timedelta(days=10), ends_at=now() + timedelta(days=300))
    assert price_impact.preview(draft("ads", static="6")).total.difference == 1_000_000


def test_an_offer_counts_from_the_day_it_begins(ann: Payer, studio: Api) -> None:
    spread(ann, studio, 29, 15, 1)
    Offer.objects.create(
        account=ann.account, name="Half", unit="credit", tiers=[{"above": 0, "percent": "50"}], reason="Agreed",
        starts_at=now() + timedelta(days=20),
    )  # fmt: skip
    impact = price_impact.preview(draft("ads", static="6"))
    assert (impact.total.before, impact.total.after) == (15_000_000, 15_000_000)


def test_what_the_draft_no_longer_prices_is_named(ann: Payer, studio: Api) -> None:
    authorize(studio, ann)
    impact = price_impact.preview(draft("ads", static=None))
    (refused, tally), *others = impact.worst_refusals()
    assert not others
    assert "no model 'static'" in refused.reason
    assert (tally.charges, tally.before, tally.after) == (1, 5_000_000, 0)
    assert (impact.total.after, impact.total.refused, impact.affected()) == (0, 1, 1)


def test_a_gate_the_customers_plan_does_not_open_refuses_too(ann: Payer, studio: Api) -> None:
    authorize(studio, ann)
    Plan.objects.create(profile_id="ads", slug="gold", name="Gold", rank=1)
    snapshot.refresh()
    book = draft("ads")
    Price.objects.filter(book=book, model__slug="static").update(requires="gold")
    ((refused, _),) = price_impact.preview(book).worst_refusals()
    assert refused.reason == "Static needs the Gold plan or above; this account has no plan."


def test_voided_open_and_old_charges_do_not_count(eva: Payer, studio: Api) -> None:
    hold(studio, eva)
    gone = hold(studio, eva)
    studio.post(f"/v1/charges/{gone['id']}/void", {"reason": "failed"})
    done = hold(studio, eva)
    studio.post(f"/v1/charges/{done['id']}/settle", {})
    book = draft("images", seedream_4_5="0.05")
    assert price_impact.preview(book).total.charges == 1
    assert price_impact.preview(book, until=now() + timedelta(days=31)).total.charges == 0


def test_other_price_lists_do_not_count(ann: Payer, eva: Payer, studio: Api) -> None:
    authorize(studio, ann)
    assert price_impact.preview(draft("images")).total.charges == 0


def test_of_very_many_charges_a_part_is_taken_and_said(ann: Payer, studio: Api) -> None:
    for _ in range(8):
        authorize(studio, ann)
    impact = price_impact.preview(draft("ads", static="6"), most=3)
    assert impact.step == 3
    assert impact.total.charges % 3 == 0
    assert impact.total.before == impact.total.charges * 5_000_000


def test_each_shape_is_priced_once(
    ann: Payer, bob: Payer, studio: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    for who in (ann, ann, bob):
        authorize(studio, who)
    asked: list[str] = []
    real = engine.effective

    def watched(*given: Any, **named: Any) -> Any:
        asked.append(given[1])
        return real(*given, **named)

    monkeypatch.setattr(engine, "effective", watched)
    assert price_impact.preview(draft("ads")).total.charges == 3
    assert asked == ["static"]
