"""The price list and the estimate."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now

from accounts.models import ApiKey
from billing.ledger import balances, grants, key_limits
from billing.ledger.models import Charge, Transaction
from billing.selectors.api import instant
from catalog import snapshot, versions
from catalog.models import AIModel, Operation, PriceList
from tests.billing.api.conftest import CREDIT, Api, Payer, payer


def price(body: dict[str, Any], model: str, operation: str = "generate") -> str:
    found = next(entry for entry in body["models"] if entry["id"] == model)
    offered = next(entry for entry in found["operations"] if entry["operation"] == operation)
    return str(offered["price"])


def test_prices_need_no_key(anyone: Api) -> None:
    reply = anyone.get("/v1/pricing")
    assert reply.status == 200
    assert reply.body["unit"] == "credit"
    assert (price(reply.body, "static"), price(reply.body, "full")) == ("5", "15")


def test_another_list_by_name(images: None, anyone: Api) -> None:
    reply = anyone.get("/v1/pricing?profile=images")
    assert (reply.body["unit"], reply.body["approximate"]) == ("EUR", True)
    assert anyone.get("/v1/pricing?profile=nobody").status == 404
    assert anyone.get("/v1/pricing?profile=%00").status == 422


def test_a_key_narrows_the_list_to_its_account(eva: Payer, anyone: Api) -> None:
    assert eva.api.get("/v1/pricing").body["profile"] == "images"
    assert anyone.get("/v1/pricing").body["profile"] == "ads"


def test_a_pipeline_lists_its_phases_and_is_their_sum(sites: None, anyone: Api) -> None:
    models = anyone.get("/v1/pricing?profile=sites").body["models"]
    (whole,) = (
        o for m in models if m["id"] == "site" for o in m["operations"] if o["operation"] == "generate"
    )
    told = {
        phase["id"]: (phase["estimate"], phase["range"], phase["only_reported"]) for phase in whole["phases"]
    }
    assert told == {
        "hero-image": ("60", {"low": "20", "high": "60"}, False),
        "motion-video": ("256", None, False),
        "html-assembly": ("8", None, False),
        "frame-extraction": ("0", None, False),
        "further-images": ("276", {"low": "116", "high": "276"}, True),
    }
    assert sum(int(estimate) for estimate, _, _ in told.values()) == int(whole["price"]) == 600
    assert whole["range"] == {"low": "400", "high": "600"}


def test_a_plan_sees_what_it_may_use(toon: None) -> None:
    free = payer("Free", "toon", mode="subscription", plan="free").api.get("/v1/pricing").body
    metered = payer("Metered", "toon", mode="metered").api.get("/v1/pricing").body
    assert (free["unit"], metered["unit"]) == ("credit", "USD")


def test_a_bad_key_is_not_anybody(catalog: None) -> None:
    assert Api("bpk_mistyped").get("/v1/pricing").status == 401


def test_the_list_may_be_kept_a_minute(anyone: Api, ann: Payer) -> None:
    reply = anyone.get("/v1/pricing")
    assert reply.headers["Cache-Control"] == "public, max-age=60"
    assert reply.headers["Vary"] == "Authorization"
    assert ann.api.get("/v1/pricing").headers["Cache-Control"] == "private, max-age=60"
    for known in (
        reply.headers["ETag"],
        f'"other", {reply.headers["ETag"]}',
        f"W/{reply.headers['ETag']}",
        "*",
    ):
        again = Client().get("/v1/pricing", headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
    assert Client().get("/v1/pricing", headers={"If-None-Match": '"other"'}).status_code == 200


def test_two_lists_have_two_etags(anyone: Api, eva: Payer, ann: Payer) -> None:
    replies = [anyone.get("/v1/pricing"), ann.api.get("/v1/pricing"), eva.api.get("/v1/pricing")]
    assert len({reply.headers["ETag"] for reply in replies}) == 3


def estimate(api: Api, **body: Any) -> Any:
    return api.post("/v1/estimate", {"model": "static", "operation": "generate", **body})


def test_an_estimate_says_what_it_costs_and_leaves(ann: Payer) -> None:
    reply = estimate(ann.api, parameters={"count": 3})
    assert reply.status == 200
    assert (reply.body["cost_estimate"], reply.body["available_after"]) == ("15", "35")
    assert reply.body["lines"] == [{"what": "Static", "quantity": "3", "unit_price": "5", "amount": "15"}]
    assert (reply.body["range"], reply.body["sufficient"]) == (None, True)


def test_an_estimate_changes_nothing(ann: Payer) -> None:
    estimate(ann.api, parameters={"count": 3})
    assert not Charge.objects.exists()
    assert Transaction.objects.count() == 1


def test_an_approximate_price_has_a_range(eva: Payer) -> None:
    body = estimate(eva.api, model="seedream-4-5").body
    assert body["approximate"] is True
    assert float(body["range"]["low"]) < float(body["cost_estimate"]) < float(body["range"]["high"])


@pytest.mark.parametrize(("count", "enough"), [(10, True), (11, False)])
def test_whether_it_is_enough(ann: Payer, count: int, enough: bool) -> None:
    body = estimate(ann.api, parameters={"count": count}).body
    assert body["sufficient"] is enough
    assert body["available_after"] == str(50 - 5 * count)


def test_the_spending_limit_counts(ann: Payer) -> None:
    balances.set_spend_limit(ann.account.pk, 9 * CREDIT)
    assert estimate(ann.api).body["sufficient"] is True
    assert estimate(ann.api, parameters={"count": 2}).body["sufficient"] is False


def test_the_limit_of_the_key_counts(ann: Payer) -> None:
    key = ApiKey.objects.get(account=ann.account)
    key_limits.set_limit(api_key_id=key.pk, account_id=ann.account.pk, monthly=9 * CREDIT, budget=None)
    assert estimate(ann.api).body["sufficient"] is True
    assert estimate(ann.api, parameters={"count": 2}).body["sufficient"] is False


def test_free_work_needs_nothing(sites: None) -> None:
    broke = payer("Broke", "sites", plan="basic")
    grants.withdraw(
        account_id=broke.account.pk, micros=1500 * CREDIT, kind="adjustment", description="x", key="x"
    )
    body = estimate(broke.api, model="site", operation="inline-text-edit").body
    assert (body["cost_estimate"], body["sufficient"]) == ("0", True)
    assert estimate(broke.api, model="seedream-4-5").body["sufficient"] is False


def test_a_closed_gate_is_told(images: None) -> None:
    poor = payer("Poor", "images")
    assert estimate(poor.api, model="seedream-4-5").body["closed"] is None
    grants.withdraw(account_id=poor.account.pk, micros=10_000, kind="adjustment", description="x", key="x")
    body = estimate(poor.api, model="seedream-4-5").body
    assert body["sufficient"] is False
    assert "0.5" in body["closed"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"model": "unheard-of"}, "not_offered"),
        ({"operation": "fly"}, "not_offered"),
        ({"parameters": {"count": 1.5}}, "invalid_request"),
        ({"parameters": None}, "invalid_request"),
        ({"model": None}, "invalid_request"),
        ({"customer": {"api_key": "x"}}, "invalid_request"),
    ],
    ids=str,
)
def test_what_has_no_price_is_refused(ann: Payer, body: dict[str, Any], code: str) -> None:
    reply = estimate(ann.api, **body)
    assert (reply.status, reply.code) == (422, code)


@pytest.mark.parametrize("kind", [AIModel, Operation])
def test_what_is_switched_off_is_sold_no_more_and_open_work_is_settled(
    eva: Payer, studio: Api, kind: type[AIModel]
) -> None:
    body = {"model": "seedream-4-5", "operation": "generate"}
    for_eva = {**body, "customer": eva.by_key}
    charge = studio.post("/v1/charges", for_eva).body["id"]
    kind.objects.filter(profile="images", slug__in=body.values()).update(active=False)
    snapshot.refresh()
    for reply in (estimate(eva.api, **body), studio.post("/v1/charges", for_eva)):
        assert (reply.status, reply.code) == (422, "not_offered")
        assert "is not offered at present" in reply.body["detail"]
    assert studio.post(f"/v1/charges/{charge}/settle", {"outputs": {}}).body["metadata"]["cost"] == "0.04"


def test_a_pipeline_is_sold_only_while_all_that_it_uses_is(sites: None, studio: Api) -> None:
    buyer = payer("Sue", "sites", plan="basic")
    buyer.give(1000)
    body = {"model": "site", "operation": "generate"}
    charge = studio.post("/v1/charges", {**body, "customer": buyer.by_key}).body["id"]
    AIModel.objects.filter(profile="sites", slug="veo-3-1").update(active=False)
    snapshot.refresh()
    for reply in (
        estimate(buyer.api, **body),
        studio.post("/v1/charges", {**body, "customer": buyer.by_key}),
    ):
        assert (reply.status, reply.code) == (422, "not_offered")
        assert "Veo 3.1, which is part of it, is switched off" in reply.body["detail"]
    shown = {
        (m["id"], o["operation"])
        for m in buyer.api.get("/v1/pricing").body["models"]
        for o in m["operations"]
    }
    assert ("site", "frame-extraction") in shown
    assert ("site", "generate") not in shown
    done = studio.post(f"/v1/charges/{charge}/settle", {"outputs": {}})
    assert (done.status, done.body["status"]) == (200, "settled")


def test_a_parameter_is_named_where_it_is_wrong(ann: Payer) -> None:
    assert estimate(ann.api, parameters={"count": 0}).fields == {"parameters.count"}
    both = estimate(ann.api, parameters={"count": 0, "sauce": 1})
    assert both.fields == {"parameters.count", "parameters.sauce"}


def test_the_estimate_is_json_text_not_float(ann: Payer) -> None:
    client = Client()
    raw = client.post(
        "/v1/estimate",
        b'{"model": "static", "operation": "generate"}',
        content_type="application/json",
        headers={"Authorization": f"Bearer {ann.key}"},
    ).content
    assert isinstance(json.loads(raw)["cost_estimate"], str)


def publish(price: int, starts: datetime) -> None:
    """Another version of profile ads, in which a static ad costs so much."""
    draft = versions.new_draft(PriceList.objects.get(profile_id="ads"))
    draft.prices.filter(model__slug="static").update(amount=price)
    versions.publish(draft, effective_at=starts)
    snapshot.refresh()


def test_prices_of_a_scheduled_and_a_past_moment(anyone: Api, ann: Payer, studio: Api) -> None:
    start = (now() + timedelta(days=10)).replace(microsecond=0)
    publish(7, start)
    told = anyone.get("/v1/pricing").body
    assert (price(told, "static"), told["next_change_at"]) == ("5", instant(start))
    assert told["as_of"] == told["effective_at"]
    then = anyone.get(f"/v1/pricing?as_of={instant(start)}").body
    assert (price(then, "static"), then["as_of"], then["next_change_at"]) == ("7", instant(start), None)
    before = anyone.get("/v1/pricing?as_of=2020-01-01T00:00:00Z").body
    assert (price(before, "static"), before["as_of"]) == ("5", "2020-01-01T00:00:00Z")
    body = {"model": "static", "operation": "generate"}
    later = ann.api.post(f"/v1/estimate?as_of={instant(start)}", body).body
    assert (later["cost_estimate"], later["as_of"], later["price_book"]["version"]) == (
        "7",
        instant(start),
        2,
    )
    wanted = {"customer": ann.by_key, **body}
    dry = studio.post(f"/v1/charges?dryRun=true&as_of={instant(start)}", wanted)
    assert (dry.status, dry.body["cost_estimate"]) == (200, "7")


def test_work_itself_is_priced_now(ann: Payer, studio: Api) -> None:
    wanted = {"customer": ann.by_key, "model": "static", "operation": "generate"}
    reply = studio.post("/v1/charges?as_of=2020-01-01T00:00:00Z", wanted)
    assert (reply.status, reply.fields) == (422, {"as_of"})
    assert not Charge.objects.exists()


@pytest.mark.parametrize("text", ["2026-05-01", "yesterday", "", "2026-13-01T00:00:00Z"])
def test_a_moment_is_a_moment(anyone: Api, text: str) -> None:
    assert anyone.get(f"/v1/pricing?as_of={text}").status == 422


def test_each_moment_has_its_etag(anyone: Api) -> None:
    publish(7, now() + timedelta(days=10))
    asked = [anyone.get("/v1/pricing"), anyone.get("/v1/pricing?as_of=2020-01-01T00:00:00Z")]
    assert len({reply.headers["ETag"] for reply in asked}) == 2
    again = Client().get(
        "/v1/pricing?as_of=2020-01-01T00:00:00Z", headers={"If-None-Match": asked[1].headers["ETag"]}
    )
    assert again.status_code == 304
