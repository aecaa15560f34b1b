"""Charges over HTTP: authorize, settle, void, refund, look up; refusals, repeats, and other people's ids."""

import uuid
from typing import Any

import pytest

from accounts.keys import create_service_key, generate
from accounts.models import BillingAccount
from billing.ledger import balances
from billing.ledger.models import Charge, IdempotencyRecord, Transaction
from config.ids import public_id
from tests.billing.api.conftest import CREDIT, Api, Payer, payer
from tests.billing.api.working import authorize, hold, work

UNKNOWN = public_id("ch", uuid.UUID(int=0))


def test_work_priced_on_acceptance_is_settled_at_once(ann: Payer, studio: Api) -> None:
    reply = studio.post("/v1/charges", work(ann, reference="job-1"))
    assert reply.status == 202
    assert reply.body["status"] == "settled"
    assert reply.body["metadata"] == {"cost_estimate": "5", "cost": "5"}
    assert (reply.body["balance"], reply.body["available"], reply.body["hold"]) == ("45", "45", "0")
    assert reply.body["unit"] == "credit"


def test_other_work_is_held(eva: Payer, studio: Api) -> None:
    body = hold(studio, eva)
    assert body["metadata"] == {"cost_estimate": "0.04"}
    assert (body["hold"], body["balance"], body["available"]) == ("0.04", "20.5", "20.46")
    assert body["expires_at"] > body["authorized_at"]


def test_the_account_can_be_named_by_its_id(ann: Payer, studio: Api) -> None:
    named = work(ann) | {"customer": {"account": ann.account.public_id}}
    assert studio.post("/v1/charges", named).status == 202


def test_a_dry_run_writes_nothing(ann: Payer, studio: Api) -> None:
    reply = studio.post("/v1/charges?dryRun=true", work(ann), idem="dry")
    assert reply.status == 200
    assert (reply.body["cost_estimate"], reply.body["available_after"]) == ("5", "45")
    assert reply.body["sufficient"] is True
    assert not Charge.objects.exists()
    assert not IdempotencyRecord.objects.exists()
    assert studio.post("/v1/charges?dryRun=false", work(ann), idem="dry").status == 202


@pytest.mark.parametrize("value", ["1", "True", "yes", "", "true&dryRun=true"])
def test_a_dry_run_is_never_guessed(ann: Payer, studio: Api, value: str) -> None:
    assert studio.post(f"/v1/charges?dryRun={value}", work(ann)).status == 422
    assert not Charge.objects.exists()


def test_too_few_credits(ann: Payer, studio: Api) -> None:
    reply = studio.post("/v1/charges", work(ann, parameters={"count": 11}))
    assert (reply.status, reply.code) == (402, "insufficient_credits")
    assert (reply.body["required"], reply.body["available"], reply.body["unit"]) == ("55", "50", "credit")
    assert {way["code"] for way in reply.body["remedies"]} >= {"add_funds", "enable_auto_recharge"}
    assert all(way["url"].startswith("http") for way in reply.body["remedies"])
    assert balances.of(ann.account.pk).balance == 50 * CREDIT


def test_past_the_spending_limit(ann: Payer, studio: Api) -> None:
    ann.api.put("/v1/spending-limit", {"limit": "9"})
    authorize(studio, ann)
    reply = studio.post("/v1/charges", work(ann))
    assert (reply.status, reply.code) == (402, "spending_limit_reached")
    assert (reply.body["required"], reply.body["available"]) == ("5", "4")
    assert [way["code"] for way in reply.body["remedies"]] == ["raise_limit"]


def test_past_the_credit_limit(ann: Payer, studio: Api) -> None:
    balances.set_credit_limit(ann.account.pk, 4 * CREDIT)
    reply = studio.post("/v1/charges", work(ann, parameters={"count": 11}))
    assert (reply.status, reply.code) == (402, "credit_limit_reached")
    assert reply.body["remedies"]


def test_a_postpaid_account_without_a_history_has_reached_its_limit(ann: Payer, studio: Api) -> None:
    """Its limit is 0 until it has paid something: that, not a prepaid balance, is what it ran out of."""
    later = payer("Later", "ads", mode="postpaid")
    reply = studio.post("/v1/charges", work(later, parameters={"count": 11}))
    assert (reply.status, reply.code) == (402, "credit_limit_reached")
    assert [way["code"] for way in reply.body["remedies"]] == ["add_funds"]
    assert later.api.get("/v1/balance").body["credit_limit"] == "0"
    assert ann.api.get("/v1/balance").body["credit_limit"] is None


def test_a_closed_gate_says_what_opens_it(images: None, studio: Api) -> None:
    """Profile ``images``: with less than 0.50 EUR available only budget models."""
    poor = payer("Poor", "images")
    assert hold(studio, poor, model="flux-1-schnell", parameters={"count": 10})["available"] == "0.46"
    reply = studio.post("/v1/charges", work(poor, model="seedream-4-5"))
    assert (reply.status, reply.code) == (403, "model_unavailable")
    assert "0.5" in reply.body["detail"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"model": "nothing-like-it"}, "not_offered"),
        ({"operation": "fly"}, "not_offered"),
        ({"parameters": {"count": 0}}, "invalid_request"),
        ({"parameters": {"count": 501}}, "invalid_request"),
        ({"parameters": {"count": "2"}}, "invalid_request"),
        ({"parameters": {"count": True}}, "invalid_request"),
        ({"parameters": {"count": 1.5}}, "invalid_request"),
        ({"parameters": {"colour": "red"}}, "invalid_request"),
        ({"parameters": []}, "invalid_request"),
        ({"parameters": {str(n): n for n in range(65)}}, "invalid_request"),
        ({"model": ""}, "invalid_request"),
        ({"model": 5}, "invalid_request"),
        ({"model": "x" * 81}, "invalid_request"),
        ({"model": "static\n"}, "invalid_request"),
        ({"reference": "x" * 256}, "invalid_request"),
        ({"reference": 7}, "invalid_request"),
        ({"confirm": "true"}, "invalid_request"),
        ({"confirm": 1}, "invalid_request"),
        ({"customer": {}}, "invalid_request"),
        ({"customer": "bpk_x"}, "invalid_request"),
        ({"customer": {"api_key": None}}, "invalid_request"),
        ({"customer": {"api_key": "bpk_x", "account": "acct_x"}}, "invalid_request"),
        ({"amount": "5"}, "invalid_request"),
    ],
    ids=str,
)
def test_what_is_not_understood_is_refused(
    ann: Payer, studio: Api, change: dict[str, Any], code: str
) -> None:
    reply = studio.post("/v1/charges", work(ann) | change)
    assert (reply.status, reply.code) == (422, code)
    assert not Charge.objects.exists()


@pytest.mark.parametrize(
    ("customer", "status"),
    [
        ({"api_key": generate("customer")}, 401),
        ({"api_key": "bpk_mistyped"}, 401),
        ({"account": public_id("acct", uuid.UUID(int=1))}, 404),
        ({"account": "acct_"}, 404),
        ({"account": "12"}, 404),
    ],
    ids=["unknown key", "mistyped key", "unknown account", "no digits", "no account"],
)
def test_a_customer_nobody_knows(ann: Payer, studio: Api, customer: dict[str, str], status: int) -> None:
    assert studio.post("/v1/charges", work(ann) | {"customer": customer}).status == status


def test_a_service_key_does_not_pay(ann: Payer, studio: Api) -> None:
    _, other = create_service_key("Other")
    assert studio.post("/v1/charges", work(ann) | {"customer": {"api_key": other}}).status == 403


def test_a_closed_account_buys_nothing(ann: Payer, studio: Api) -> None:
    BillingAccount.objects.filter(pk=ann.account.pk).update(status="closed")
    assert studio.post("/v1/charges", work(ann)).status == 401
    by_id = work(ann) | {"customer": {"account": ann.account.public_id}}
    assert studio.post("/v1/charges", by_id).status == 404


def test_settling_below_the_hold_returns_the_rest(eva: Payer, studio: Api) -> None:
    charge = hold(studio, eva)
    delivery = {"provider": "p", "provider_name": "P", "executed_model": "m-2", "upstream_id": "u-9"}
    reply = studio.post(f"/v1/charges/{charge['id']}/settle", {"cost": "0.03"} | delivery)
    assert reply.status == 200
    assert reply.body["status"] == "settled"
    assert reply.body["metadata"] == {"cost": "0.03", "cost_estimate": "0.04"} | delivery
    assert (reply.body["returned"], reply.body["balance"], reply.body["available"]) == (
        "0.01",
        "20.47",
        "20.47",
    )


def test_a_repeated_settle_names_who_delivered_as_the_first_did(eva: Payer, studio: Api) -> None:
    charge = hold(studio, eva)
    settle = f"/v1/charges/{charge['id']}/settle"
    first = studio.post(settle, {"cost": "0.03", "provider": "p", "executed_model": "m-2"})
    again = studio.post(settle, {"cost": "0.03"})
    assert (again.status, again.body["metadata"]) == (200, first.body["metadata"])
    assert again.body["metadata"]["provider"] == "p"


def test_outputs_are_priced_by_the_price_book(eva: Payer, studio: Api) -> None:
    charge = hold(studio, eva)
    reply = studio.post(f"/v1/charges/{charge['id']}/settle", {"outputs": {}})
    assert reply.status == 200
    assert reply.body["metadata"]["cost"] == "0.04"


def test_a_cost_overrides_the_outputs(eva: Payer, studio: Api) -> None:
    charge = hold(studio, eva)
    reply = studio.post(f"/v1/charges/{charge['id']}/settle", {"outputs": {"count": 1}, "cost": "0.01"})
    assert (reply.status, reply.body["metadata"]["cost"]) == (200, "0.01")
    lines = studio.get(f"/v1/charges/{charge['id']}").body["lines"]
    assert lines == [{"what": "Actual cost", "quantity": "1", "unit_price": "0.01", "amount": "0.01"}]


def test_outputs_with_a_fraction_are_kept_to_the_digit(eva: Payer, studio: Api) -> None:
    charge = hold(studio, eva)
    raw = b'{"outputs": {"megapixels": 1.05}, "cost": "0.01"}'
    assert studio.post(f"/v1/charges/{charge['id']}/settle", raw).status == 200
    outputs = Charge.objects.get().outputs
    assert outputs is not None
    assert str(outputs["megapixels"]) == "1.05"


def test_parameters_with_a_fraction_come_back_to_the_digit(eva: Payer, studio: Api) -> None:
    charge = hold(studio, eva)
    Charge.objects.update(parameters={"megapixels": 1.05})
    assert studio.get(f"/v1/charges/{charge['id']}").body["parameters"] == {"megapixels": 1.05}


def test_settling_twice_at_one_cost_answers_the_same(eva: Payer, studio: Api) -> None:
    path = f"/v1/charges/{hold(studio, eva)['id']}/settle"
    first = studio.post(path, {"cost": "0.03"})
    again = studio.post(path, {"cost": "0.03"})
    assert (again.status, again.body["metadata"]["cost"]) == (200, "0.03")
    assert again.body["balance"] == first.body["balance"]
    other = studio.post(path, {"cost": "0.02"})
    assert (other.status, other.code) == (409, "invalid_state")
    assert Transaction.objects.filter(kind="usage").count() == 1


def test_voiding_ends_the_hold_with_nothing_charged(eva: Payer, studio: Api) -> None:
    charge = hold(studio, eva)
    reply = studio.post(f"/v1/charges/{charge['id']}/void", {"reason": "The model was down."})
    assert (reply.status, reply.body["status"], reply.body["returned"]) == (200, "voided", "0.04")
    assert (reply.body["balance"], reply.body["available"]) == ("20.5", "20.5")
    assert studio.post(f"/v1/charges/{charge['id']}/void").status == 200
    assert studio.post(f"/v1/charges/{charge['id']}/settle", {"cost": "0.01"}).status == 409
    kept = studio.get(f"/v1/charges/{charge['id']}").body
    assert (kept["metadata"]["cost"], kept["metadata"]["cost_estimate"], kept["lines"]) == ("0", "0.04", [])


def test_a_refund_gives_everything_back(ann: Payer, studio: Api) -> None:
    charge = authorize(studio, ann)
    reply = studio.post(f"/v1/charges/{charge['id']}/refund", {"reason": "Delivery failed."})
    assert reply.status == 200
    assert (reply.body["status"], reply.body["refunded"], reply.body["balance"]) == ("refunded", "5", "50")
    assert reply.body["transaction"].startswith("txn_")
    again = studio.post(f"/v1/charges/{charge['id']}/refund", {"reason": "Delivery failed."})
    assert (again.status, again.code) == (409, "invalid_state")


def test_a_refund_in_part(ann: Payer, studio: Api) -> None:
    path = f"/v1/charges/{authorize(studio, ann)['id']}/refund"
    part = studio.post(path, {"amount": "1.5", "reason": "Late."}).body
    assert (part["status"], part["amount"], part["refunded"], part["balance"]) == (
        "settled", "1.5", "1.5", "46.5",
    )  # fmt: skip
    assert (part["metadata"]["cost"], part["metadata"]["cost_estimate"]) == ("3.5", "5")
    too_much = studio.post(path, {"amount": "3.6", "reason": "Late."})
    assert (too_much.status, too_much.body["refundable"]) == (409, "3.5")
    rest = studio.post(path, {"amount": "3.5", "reason": "Late."})
    assert (rest.body["status"], rest.body["balance"]) == ("refunded", "50")
    assert (rest.body["amount"], rest.body["refunded"], rest.body["metadata"]["cost"]) == ("3.5", "5", "0")


def test_a_refund_tells_where_the_work_ran(eva: Payer, studio: Api) -> None:
    charge = hold(studio, eva)
    routing = {"provider": "fal", "provider_name": "fal.ai", "executed_model": "x/1", "upstream_id": "u1"}
    studio.post(f"/v1/charges/{charge['id']}/settle", {"cost": "0.03", **routing})
    reply = studio.post(f"/v1/charges/{charge['id']}/refund", {"amount": "0.01", "reason": "Grainy."})
    assert reply.body["metadata"] == {"cost": "0.02", "cost_estimate": "0.04", **routing}


@pytest.mark.parametrize(
    "body",
    [
        {"amount": "0", "reason": "x"}, {"amount": "-1", "reason": "x"}, {"amount": 1, "reason": "x"},
        {"amount": "1"}, {"reason": ""}, {"reason": "x" * 201}, {"reason": "x", "credits": "1"},
        {"reason": "\t"}, {"amount": "1e1", "reason": "x"}, {"amount": "١", "reason": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_refund_moves_nothing(ann: Payer, studio: Api, body: dict[str, object]) -> None:
    charge = authorize(studio, ann)
    assert studio.post(f"/v1/charges/{charge['id']}/refund", body).status == 422
    assert balances.of(ann.account.pk).balance == 45 * CREDIT


@pytest.mark.parametrize(
    "body",
    [
        {"cost": 0.03}, {"cost": "-0.01"}, {"cost": "0.0000001"}, {"cost": "1e-2"}, {"cost": True},
        {"cost": "9999999999999"}, {"cost": "NaN"}, {"cost": ""}, {"outputs": []},
        {"outputs": {"nonsense": 1}}, {"cost": "1", "provider": ""}, {"cost": "1", "provider": 7},
        {"price": "1"},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_result_leaves_the_hold(eva: Payer, studio: Api, body: dict[str, object]) -> None:
    charge = hold(studio, eva)
    assert studio.post(f"/v1/charges/{charge['id']}/settle", body).status == 422
    assert studio.get(f"/v1/charges/{charge['id']}").body["status"] == "authorized"


def test_a_cost_above_the_hold_is_bounded_and_told(eva: Payer, studio: Api) -> None:
    charge = hold(studio, eva)
    reply = studio.post(f"/v1/charges/{charge['id']}/settle", {"cost": "25"})
    assert reply.status == 200
    assert (reply.body["metadata"]["cost"], reply.body["uncollected"]) == ("20.5", "4.5")
    assert (reply.body["balance"], reply.body["returned"]) == ("0", "0")


@pytest.mark.parametrize("verb", ["settle", "void", "refund"])
@pytest.mark.parametrize(
    "charge_id", [UNKNOWN, "ch_", "ch_123", "12", "ch_" + "G" * 32, "%00", "ch_%F0%9F%8E%A8"]
)
def test_a_charge_nobody_knows(studio: Api, verb: str, charge_id: str) -> None:
    bodies = {"settle": {"cost": "1"}, "void": {"reason": "x"}, "refund": {"reason": "x"}}
    reply = studio.post(f"/v1/charges/{charge_id}/{verb}", bodies[verb])
    assert (reply.status, reply.code) == (404, "not_found")


def test_a_charge_is_seen_by_its_account_and_the_service(ann: Payer, bob: Payer, studio: Api) -> None:
    charge = authorize(studio, ann, reference="job-7", parameters={"count": 2})
    path = f"/v1/charges/{charge['id']}"
    mine = ann.api.get(path)
    assert mine.status == 200
    assert (mine.body["reference"], mine.body["metadata"]["cost"]) == ("job-7", "10")
    assert (mine.body["model"], mine.body["parameters"]) == ("static", {"count": 2})
    assert [line["amount"] for line in mine.body["lines"]] == ["10"]
    assert studio.get(path).body == mine.body
    assert bob.api.get(path).status == 404
    assert bob.api.get(f"/v1/charges/{UNKNOWN}").body["detail"] == bob.api.get(path).body["detail"]


def test_lists_show_each_account_its_own(ann: Payer, bob: Payer, studio: Api) -> None:
    mine = authorize(studio, ann, reference="a")
    theirs = authorize(studio, bob, reference="b")

    def ids(api: Api, query: str = "") -> list[str]:
        return [charge["id"] for charge in api.get(f"/v1/charges{query}").body["data"]]

    assert ids(ann.api) == [mine["id"]]
    assert ids(ann.api, "?reference=b") == []
    assert ids(studio) == [theirs["id"], mine["id"]]
    assert ids(studio, "?reference=a") == [mine["id"]]
    assert ids(studio, "?reference=") == [theirs["id"], mine["id"]]


def test_lists_are_paged_without_gaps_or_repeats(ann: Payer, studio: Api) -> None:
    made = [authorize(studio, ann)["id"] for _ in range(5)]
    first = ann.api.get("/v1/charges?limit=2").body
    second = ann.api.get(f"/v1/charges?limit=2&cursor={first['next_cursor']}").body
    third = ann.api.get(f"/v1/charges?limit=2&cursor={second['next_cursor']}").body
    seen = [charge["id"] for page in (first, second, third) for charge in page["data"]]
    assert seen == made[::-1]
    assert third["next_cursor"] is None


def test_the_history_s_cursor_is_not_the_charges(ann: Payer, studio: Api) -> None:
    authorize(studio, ann)
    cursor = ann.api.get("/v1/usage?limit=1").body["next_cursor"]
    assert ann.api.get(f"/v1/charges?cursor={cursor}").fields == {"cursor"}
