"""How calls are sent: one idempotency key for all tries, bounded retries, exact amounts, private keys."""

import json
import time
from decimal import Decimal

import pytest
from portal_client import (
    Customer,
    Delivery,
    InvalidState,
    NewCharge,
    Portal,
    RateLimited,
    RetryPolicy,
    ServiceUnavailable,
    Unreachable,
)

from tests.client.conftest import Script
from tests.client.stand_in import CUSTOMER_KEY, SERVICE_KEY, StandIn, problem

WORK = NewCharge(Customer(api_key=CUSTOMER_KEY), "static", "generate", reference="job-1")


def keys_sent(stand_in: StandIn) -> list[str | None]:
    return [headers.get("Idempotency-Key") for _, _, headers, _ in stand_in.seen]


def test_each_post_has_a_key_of_its_own(portal: Portal, stand_in: StandIn) -> None:
    portal.authorize(WORK)
    portal.authorize(WORK)
    first, second = keys_sent(stand_in)
    assert first is not None
    assert second is not None
    assert first != second


def test_a_question_leaves_no_idempotency_record(portal: Portal, stand_in: StandIn) -> None:
    portal.authorize(WORK, dry_run=True)
    portal.verify_key(CUSTOMER_KEY)
    assert keys_sent(stand_in) == [None, None]


@pytest.mark.parametrize("fault", ["drop before", "drop after", "503"])
def test_a_retry_repeats_the_key_and_has_one_effect(portal: Portal, stand_in: StandIn, fault: str) -> None:
    stand_in.fault("authorize", fault, fault)
    charge = portal.authorize(WORK)
    assert charge.status == "authorized"
    assert len(set(keys_sent(stand_in))) == 1
    assert len(stand_in.seen) == 3
    assert len(stand_in.charges) == 1


def test_retries_are_bounded(portal: Portal, stand_in: StandIn) -> None:
    stand_in.fault("authorize", *["503"] * 9)
    with pytest.raises(ServiceUnavailable):
        portal.authorize(WORK)
    assert len(stand_in.seen) == 3


def test_the_callers_own_key_is_used(portal: Portal, stand_in: StandIn) -> None:
    first = portal.authorize(WORK, idempotency_key="job-1-authorize")
    again = portal.authorize(WORK, idempotency_key="job-1-authorize")
    assert first.id == again.id
    assert keys_sent(stand_in) == ["job-1-authorize"] * 2


def test_a_refusal_is_not_tried_again(portal: Portal, stand_in: StandIn) -> None:
    charge = portal.authorize(WORK)
    portal.void(charge.id, reason="not needed")
    with pytest.raises(InvalidState):
        portal.settle(charge.id, cost=Decimal("0.01"))
    assert stand_in.calls["settle"] == 1


@pytest.mark.slow
def test_retry_after_is_waited_for(portal: Portal, script: Script, stand_in: StandIn) -> None:
    script(429, problem(429, "rate_limited", "Too many requests", "Slow down.")[1], Retry_After="1")
    started = time.monotonic()
    assert portal.authorize(WORK).status == "authorized"
    assert time.monotonic() - started >= 1


def test_a_long_retry_after_is_the_callers_to_wait_for(portal: Portal, script: Script) -> None:
    script(429, problem(429, "rate_limited", "Too many requests", "Slow down.")[1], Retry_After="3600")
    with pytest.raises(RateLimited) as caught:
        portal.authorize(WORK)
    assert caught.value.retry_after == 3600


def test_an_idempotent_call_still_running_is_asked_again(
    portal: Portal, script: Script, stand_in: StandIn
) -> None:
    script(409, problem(409, "idempotency_in_progress", "Still running", "Wait.")[1])
    assert portal.authorize(WORK).status == "authorized"
    assert len(set(keys_sent(stand_in))) == 1


def test_no_answer_at_all_is_unreachable(stand_in: StandIn) -> None:
    policy = RetryPolicy(retries=1, first_wait=0.001)
    portal = Portal("http://127.0.0.1:1", CUSTOMER_KEY, timeout=1, policy=policy)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1"):
        portal.balance()


def test_a_connection_the_server_closed_meanwhile_is_replaced(stand_in: StandIn) -> None:
    """Without any retry allowed: a stale kept-alive connection is not a failure."""
    with Portal(stand_in.url, SERVICE_KEY, policy=RetryPolicy(retries=0)) as portal:
        portal.authorize(WORK)
        stand_in.fault("authorize", "drop before")
        portal.authorize(WORK)
    assert len(stand_in.charges) == 2


def test_amounts_are_sent_as_plain_decimal_strings(portal: Portal, stand_in: StandIn) -> None:
    charge = portal.authorize(WORK)
    portal.settle(charge.id, cost=Decimal("1E-2"), delivery=Delivery(provider="own", upstream_id="r-7"))
    body = json.loads(stand_in.seen[-1][3])
    assert body == {"provider": "own", "upstream_id": "r-7", "cost": "0.01"}


def test_an_amount_that_is_none_is_not_sent(portal: Portal) -> None:
    with pytest.raises(ValueError, match="NaN"):
        portal.settle("ch_1", cost=Decimal("NaN"))


def test_settle_void_refund_and_look_up(portal: Portal, stand_in: StandIn) -> None:
    one, two = portal.authorize(WORK), portal.authorize(WORK)
    settled = portal.settle(one.id, outputs={"count": 1})
    assert (settled.status, settled.metadata.cost) == ("settled", Decimal("0.04"))
    assert portal.refund(one.id, reason="broken").status == "refunded"
    assert portal.void(two.id, reason="failed").status == "voided"
    assert portal.charge(two.id).status == "voided"
    assert {charge.id for charge in portal.charges(reference="job-1")} == {one.id, two.id}


def test_a_report_names_its_phases_and_goes_on(portal: Portal, stand_in: StandIn, script: Script) -> None:
    script(
        200, {"id": "ch_1", "status": "authorized", "hold": "7", "returned": "3", "metadata": {"cost": "2"}}
    )
    told = portal.report(
        "ch_1", {"hero-image": {"cost": Decimal("2.0")}, "motion-video": "failed"}, idempotency_key="k"
    )
    assert (told.status, told.hold, told.returned, told.metadata.cost) == (
        "authorized",
        Decimal(7),
        Decimal(3),
        Decimal(2),
    )
    method, path, headers, raw = stand_in.seen[-1]
    assert (method, path, headers["Idempotency-Key"]) == ("POST", "/v1/charges/ch_1/settle", "k")
    phases = {"hero-image": {"cost": "2.0"}, "motion-video": "failed"}
    assert json.loads(raw) == {"partial": True, "outputs": {"phases": phases}}


def test_a_dry_run_gives_the_estimate_and_writes_nothing(portal: Portal, stand_in: StandIn) -> None:
    estimate = portal.authorize(WORK, dry_run=True)
    assert (estimate.cost_estimate, estimate.sufficient) == (Decimal("0.04"), True)
    assert stand_in.charges == {}


def test_ids_cannot_leave_their_place_in_the_path(portal: Portal, stand_in: StandIn) -> None:
    stand_in.scripted.append((404, b"{}", {"Content-Type": "application/problem+json"}))
    with pytest.raises(Exception, match="404"):
        portal.charge("../balance?x=1")
    assert stand_in.seen[-1][1] == "/v1/charges/..%2Fbalance%3Fx%3D1"


@pytest.mark.parametrize("key", ["bpk_ä", "bpk_a\r\nX: y", "bpk a"])
def test_a_key_that_cannot_be_a_header_is_refused_at_once(key: str) -> None:
    with pytest.raises(ValueError, match="API key"):
        Portal("http://127.0.0.1", key)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://x", "http://", "http://u:p@x", "http://x/?k=1"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Portal(url)


def test_a_customer_is_named_one_way() -> None:
    with pytest.raises(ValueError, match="api_key or by account"):
        Customer()
    with pytest.raises(ValueError, match="api_key or by account"):
        Customer(api_key="bpk_1", account="acct_1")


def test_a_customers_key_is_not_shown_in_a_repr() -> None:
    assert CUSTOMER_KEY not in repr(WORK)
