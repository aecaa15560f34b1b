"""What one account agreed on is what it pays, sees and settles by, and nobody else's price moves."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from django.utils.timezone import now

from billing.ledger.models import Charge
from billing.models import Offer
from billing.selectors import offers as agreed
from billing.services import offers
from billing.services.offers import NewOffer, Tier
from catalog import snapshot, versions
from catalog.models import PriceBook
from tests.billing.api.conftest import Api, Payer, payer
from tests.billing.api.in_the_lane import body_of, in_lane
from tests.billing.api.working import MODEL_ON_HOLD, authorize


def offer(to: Payer, *tiers: Tier, **fields: Any) -> Offer:
    """An agreement that is known to this process."""
    made = offers.make_offer(
        NewOffer(account=to.account, tiers=tiers, **fields), reason="Signed on the phone", staff=None
    )
    snapshot.refresh()
    return made


def estimate(api: Api, model: str = "static", **parameters: Any) -> Any:
    return api.post("/v1/estimate", {"model": model, "operation": "generate", "parameters": parameters}).body


def test_a_commitment_decides_the_tier(ann: Payer, bob: Payer, studio: Api) -> None:
    """Profile ads: above 10,000 ads a month, by the profile's own tiers."""
    offer(ann, committed=20_000)
    told = estimate(ann.api, count=2)
    assert told["cost_estimate"] == "9"
    assert told["lines"] == [
        {"what": "Static", "quantity": "2", "unit_price": "5", "amount": "10"},
        {"what": "Committed-use discount", "quantity": "1", "unit_price": "-1", "amount": "-1"},
    ]
    assert authorize(studio, ann)["metadata"]["cost"] == "4.5"
    assert authorize(studio, bob)["metadata"]["cost"] == "5"


@pytest.mark.parametrize(
    ("committed", "cost"), [(10_000, "5"), (10_001, "4.5"), (50_001, "4"), (100_001, "3.5")]
)
def test_the_tiers_of_profile_ads(ann: Payer, committed: int, cost: str) -> None:
    offer(ann, committed=committed)
    assert estimate(ann.api)["cost_estimate"] == cost


def test_a_fixed_price_names_the_offer_on_its_line(ann: Payer, studio: Api) -> None:
    offer(ann, Tier(0, price=Decimal("3.25")), name="Spring deal", models=["static"], operations=["generate"])
    told = estimate(ann.api, count=2)
    assert told["lines"] == [
        {"what": "Static (Spring deal)", "quantity": "2", "unit_price": "3.25", "amount": "6.5"}
    ]
    assert estimate(ann.api, "full")["cost_estimate"] == "15"
    charge = ann.api.get(f"/v1/charges/{authorize(studio, ann)['id']}").body
    assert charge["lines"][0]["what"] == "Static (Spring deal)"
    assert charge["offers"] == [{"label": "Spring deal", "percent": "0", "price": "3.25"}]


def test_an_offer_has_its_time(ann: Payer) -> None:
    start = now() + timedelta(days=3)
    offer(ann, Tier(0, percent=Decimal(20)), starts_at=start, ends_at=start + timedelta(days=1))
    assert estimate(ann.api)["cost_estimate"] == "5"
    during = (start + timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    after = (start + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    body = {"model": "static", "operation": "generate"}
    assert ann.api.post(f"/v1/estimate?as_of={during}", body).body["cost_estimate"] == "4"
    assert ann.api.post(f"/v1/estimate?as_of={after}", body).body["cost_estimate"] == "5"


def test_the_price_list_shows_what_the_account_pays(ann: Payer, anyone: Api) -> None:
    offer(ann, Tier(0, percent=Decimal(10)), name="Friends", models=["static"])
    mine = {model["id"]: model["operations"][0] for model in ann.api.get("/v1/pricing").body["models"]}
    assert (mine["static"]["price"], mine["static"]["list_price"]) == ("4.5", "5")
    assert mine["static"]["offers"] == ["Friends"]
    assert (mine["full"]["price"], "list_price" in mine["full"]) == ("15", False)
    assert ann.api.get("/v1/pricing").body["agreements"][0]["name"] == "Friends"
    everybody = anyone.get("/v1/pricing").body
    assert {m["id"]: m["operations"][0]["price"] for m in everybody["models"]} == {
        "static": "5",
        "full": "15",
    }


def test_the_etag_moves_with_the_agreement(ann: Payer) -> None:
    before = ann.api.get("/v1/pricing").headers["ETag"]
    made = offer(ann, Tier(0, percent=Decimal(10)))
    during = ann.api.get("/v1/pricing").headers["ETag"]
    offers.end(made, reason="Moved away", staff=None)
    snapshot.refresh()
    assert before != during
    assert estimate(ann.api)["cost_estimate"] == "5"


def test_work_is_settled_by_the_offer_it_was_authorized_with(eva: Payer, studio: Api) -> None:
    made = offer(eva, Tier(0, percent=Decimal(50)), name="Half")
    held = authorize(studio, eva, model=MODEL_ON_HOLD)
    assert held["hold"] == "0.02"
    offers.end(made, reason="Over", staff=None)
    snapshot.refresh()
    assert estimate(eva.api, MODEL_ON_HOLD)["cost_estimate"] == "0.04"
    settled = studio.post(f"/v1/charges/{held['id']}/settle", {"outputs": {}}).body
    assert settled["metadata"]["cost"] == "0.02"
    charge = eva.api.get(f"/v1/charges/{held['id']}").body
    assert [line["what"] for line in charge["lines"]][-1] == "Half"


def test_what_began_at_the_list_price_is_settled_at_it(eva: Payer, studio: Api) -> None:
    held = authorize(studio, eva, model=MODEL_ON_HOLD)
    offer(eva, Tier(0, percent=Decimal(50)))
    assert studio.post(f"/v1/charges/{held['id']}/settle", {"outputs": {}}).body["metadata"]["cost"] == "0.04"


def test_free_work_stays_free(db: None, studio: Api, sites: None) -> None:
    ben = payer("Ben", "sites", plan="basic")
    offer(ben, Tier(0, percent=Decimal(10)))
    told = ben.api.post("/v1/estimate", {"model": "site", "operation": "inline-text-edit"}).body
    assert (told["cost_estimate"], len(told["lines"])) == ("0", 1)


def test_a_pipeline_is_reduced_as_a_whole(studio: Api, sites: None) -> None:
    ben = payer("Ben", "sites", plan="basic")
    full = Decimal(estimate(ben.api, "site")["cost_estimate"])
    offer(ben, Tier(0, percent=Decimal(10)), name="Loyal")
    told = estimate(ben.api, "site")
    assert Decimal(told["cost_estimate"]) == full * 9 / 10
    assert told["lines"][-1]["what"] == "Loyal"


def publish_dearer(profile: str) -> PriceBook:
    """A new version in which a static ad costs 6."""
    book = PriceBook.objects.get(price_list__profile_id=profile, status="published")
    draft = versions.new_draft(book.price_list)
    draft.prices.filter(model__slug="static").update(amount=6)
    versions.publish(draft)
    snapshot.refresh()
    return book


def test_a_locked_account_keeps_its_version(ann: Payer, bob: Payer, studio: Api) -> None:
    old = PriceBook.objects.get(price_list__profile_id="ads")
    until = now() + timedelta(days=30)
    offers.keep_prices(ann.account, old, until, reason="Contract until May", staff=None)
    publish_dearer("ads")
    assert estimate(bob.api)["cost_estimate"] == "6"
    told = estimate(ann.api)
    assert told["cost_estimate"] == "5"
    assert told["price_book"]["version"] == old.version
    assert told["price_book"]["locked_until"] is not None
    assert authorize(studio, ann)["metadata"]["cost"] == "5"
    assert Charge.objects.get(account_id=ann.account.pk).price_book_id == old.pk
    listed = ann.api.get("/v1/pricing").body
    assert (listed["models"][0]["operations"][0]["price"], listed["locked_until"]) == (
        "5",
        told["price_book"]["locked_until"],
    )


def test_a_lock_ends_by_itself_and_by_hand(ann: Payer) -> None:
    old = PriceBook.objects.get(price_list__profile_id="ads")
    until = now() + timedelta(days=30)
    lock = offers.keep_prices(ann.account, old, until, reason="Contract", staff=None)
    publish_dearer("ads")
    later = (until + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    body = {"model": "static", "operation": "generate"}
    assert ann.api.post(f"/v1/estimate?as_of={later}", body).body["cost_estimate"] == "6"
    offers.end(lock, reason="Asked to", staff=None)
    snapshot.refresh()
    assert estimate(ann.api)["cost_estimate"] == "6"


@pytest.mark.django_db(transaction=True)
def test_the_lane_charges_what_was_agreed(ann: Payer, studio: Api) -> None:
    """Without a query on the way: what was agreed is in memory before the request comes."""
    offer(ann, committed=20_000)
    agreed.refresh()

    async def session(client: httpx.AsyncClient) -> Any:
        return (await client.post("/v1/charges", content=body_of(ann))).json()

    assert in_lane(studio, session)["metadata"]["cost"] == "4.5"


@pytest.mark.django_db(transaction=True)
def test_the_lane_settles_by_the_terms_of_the_authorization(eva: Payer, studio: Api) -> None:
    made = offer(eva, Tier(0, percent=Decimal(50)))
    held = authorize(studio, eva, model=MODEL_ON_HOLD)
    offers.end(made, reason="Over", staff=None)
    agreed.refresh()

    async def session(client: httpx.AsyncClient) -> Any:
        return (await client.post(f"/v1/charges/{held['id']}/settle", content=b"{}")).json()

    assert in_lane(studio, session)["metadata"]["cost"] == "0.02"
