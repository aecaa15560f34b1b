"""The lane answers as Django's views do, one request or hundreds at once."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from django.db import connections

from accounts.keys import create_service_key, revoke
from accounts.models import ApiKey
from billing.ledger import balances
from billing.ledger.models import Charge, IdempotencyRecord, Transaction
from billing.selectors import identities
from config.asgi import _dsn
from tests.billing.api.conftest import CREDIT, Api, Payer, payer
from tests.billing.api.in_the_lane import body_of, client_of, fresh_caches, in_lane, lane_to, post
from tests.billing.api.working import MODEL_ON_HOLD, work

__all__ = ["fresh_caches"]
pytestmark = pytest.mark.django_db(transaction=True)


BAD_BODIES = [
    b"1",
    b"null",
    b"{",
    b'{"model": "static", "model": "full"}',
    b'{"customer": {}, "model": "static", "operation": "generate"}',
    b'{"customer": {"api_key": "bpk_x"}, "model": "static", "operation": "generate"}',
    b'{"customer": {"account": "acct_0"}, "model": "static", "operation": "generate"}',
    b"\xff\xfe",
    b'{"x": NaN}',
    b'{"x": 1e400}',
    b'{"x": "\\ud800"}',
    b"[" * 50_000,
]


@pytest.mark.parametrize("raw", BAD_BODIES)
def test_bad_input_is_refused_word_for_word_as_by_the_view(ann: Payer, studio: Api, raw: bytes) -> None:
    view = studio.post("/v1/charges", raw)
    lane = post(studio, "/v1/charges", raw)
    assert (lane.status_code, lane.json()) == (view.status, view.body)
    assert lane.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"reference": "job"},
        {"parameters": {"count": 11}},
        {"parameters": {"count": 0}},
        {"parameters": {"colour": "red"}},
        {"parameters": {"count": True}},
        {"model": "stattic"},
        {"operation": "relight"},
        {"extra": 1},
        {"confirm": "yes"},
    ],
)
def test_an_authorize_answers_as_the_view_does(
    ann: Payer, bob: Payer, studio: Api, fields: dict[str, Any]
) -> None:
    view = studio.post("/v1/charges", work(ann, **fields))
    lane = post(studio, "/v1/charges", body_of(bob, **fields))
    passing = ("id", "authorized_at", "expires_at")
    assert lane.status_code == view.status
    assert {k: v for k, v in lane.json().items() if k not in passing} == {
        k: v for k, v in view.body.items() if k not in passing
    }


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**22])
def test_a_whole_number_beyond_what_is_stored_is_refused_word_for_word_as_by_the_view(
    eva: Payer, studio: Api, number: int
) -> None:
    raw = json.dumps({"cost": "0.01", "outputs": {"tokens": number}}).encode()
    path = f"/v1/charges/{studio.post('/v1/charges', work(eva, model=MODEL_ON_HOLD)).body['id']}/settle"
    view, lane = studio.post(path, raw), post(studio, path, raw)
    assert (lane.status_code, lane.json()) == (view.status, view.body)
    assert view.status == 422


def test_who_goes_away_before_the_body_came_has_done_nothing(eva: Payer, studio: Api) -> None:
    charge = studio.post("/v1/charges", work(eva, model=MODEL_ON_HOLD)).body["id"]
    said: list[Any] = []

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def hear(message: Any) -> None:
        said.append(message)

    async def call() -> None:
        lane = lane_to(_dsn())
        headers = [(b"authorization", f"Bearer {studio.key}".encode()), (b"idempotency-key", b"one")]
        scope = {"type": "http", "method": "POST", "path": f"/v1/charges/{charge}/void", "query_string": b""}
        await lane({**scope, "headers": headers, "client": ("127.0.0.1", 1)}, gone, hear)
        await lane.close()

    asyncio.run(call())
    assert (said, Charge.objects.get().status) == ([], "authorized")
    assert not IdempotencyRecord.objects.filter(key="one").exists()


@pytest.mark.parametrize("key", ["", "bps_short", "bpk_", "Bearer"])
def test_a_wrong_key_is_refused_before_anything_is_read(ann: Payer, studio: Api, key: str) -> None:
    view = Api(key).post("/v1/charges", work(ann))
    lane = post(Api(key), "/v1/charges", body_of(ann))
    assert (lane.status_code, lane.json()) == (401, view.body)


def test_a_customers_key_places_no_charges(ann: Payer) -> None:
    assert post(ann.api, "/v1/charges", body_of(ann)).json()["code"] == "forbidden"
    assert not Charge.objects.exists()


def test_a_hold_is_settled_by_its_outputs_or_cost_and_returns_the_rest(eva: Payer, studio: Api) -> None:
    async def session(client: httpx.AsyncClient) -> list[dict[str, Any]]:
        asked = work(eva, model="flux-2-pro", parameters={"count": 2})
        held = (await client.post("/v1/charges", json=asked)).json()
        routing = {"provider": "p", "upstream_id": "u"}
        done = await client.post(
            f"/v1/charges/{held['id']}/settle", json={"outputs": {"count": 1}, **routing}
        )
        again = await client.post(
            f"/v1/charges/{held['id']}/settle", json={"cost": done.json()["metadata"]["cost"]}
        )
        other = await client.post(f"/v1/charges/{held['id']}/settle", json={"cost": "9"})
        return [held, done.json(), again.json(), other.json()]

    held, done, again, other = in_lane(studio, session)
    half = str(float(held["hold"]) / 2)
    assert (done["metadata"]["cost"], done["returned"], done["metadata"]["provider"]) == (half, half, "p")
    assert (again["status"], other["code"]) == ("settled", "invalid_state")
    assert balances.of(eva.account.pk).held == 0


def test_a_void_ends_the_hold_with_nothing_charged(eva: Payer, studio: Api) -> None:
    async def session(client: httpx.AsyncClient) -> httpx.Response:
        held = (await client.post("/v1/charges", json=work(eva, model="flux-2-pro"))).json()
        return await client.post(f"/v1/charges/{held['id']}/void", json={"reason": "No capacity"})

    assert in_lane(studio, session).json()["status"] == "voided"
    assert not Transaction.objects.filter(kind="usage").exists()


def test_the_balance_is_told_as_by_the_view(eva: Payer, studio: Api) -> None:
    async def session(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get("/v1/balance")

    lane = in_lane(eva.api, session)
    assert (lane.status_code, lane.json()) == (200, eva.api.get("/v1/balance").body)
    wrong = in_lane(studio, session)
    assert (wrong.status_code, wrong.json()) == (403, studio.get("/v1/balance").body)


@pytest.mark.parametrize(
    "path", ["/v1/charges/ch_0/more/settle", "/v1/charges//settle", "/v1/charges/x/settle"]
)
def test_an_address_that_is_none_is_not_found(ann: Payer, studio: Api, path: str) -> None:
    assert post(studio, path, b"{}").status_code == 404


def test_hundreds_at_once_spend_what_is_there_and_not_a_credit_more(ann: Payer, studio: Api) -> None:
    ann.give(450)

    async def session(client: httpx.AsyncClient) -> list[httpx.Response]:
        return await asyncio.gather(*(client.post("/v1/charges", content=body_of(ann)) for _ in range(150)))

    codes = [answer.status_code for answer in in_lane(studio, session)]
    assert (codes.count(202), codes.count(402)) == (100, 50)
    assert balances.of(ann.account.pk).balance == 0


def test_one_bad_request_in_a_group_leaves_its_neighbours_alone(ann: Payer, bob: Payer, studio: Api) -> None:
    ann.give(1_000)

    async def session(client: httpx.AsyncClient) -> list[httpx.Response]:
        bad = body_of(bob, parameters={"count": 500})
        bodies = [bad if number % 10 == 0 else body_of(ann) for number in range(100)]
        return await asyncio.gather(*(client.post("/v1/charges", content=body) for body in bodies))

    codes = [answer.status_code for answer in in_lane(studio, session)]
    assert (codes.count(202), codes.count(402)) == (90, 10)


def test_the_same_key_sent_many_times_at_once_charges_once(ann: Payer, studio: Api) -> None:
    async def session(client: httpx.AsyncClient) -> list[httpx.Response]:
        headers = {"Idempotency-Key": "once"}
        return await asyncio.gather(
            *(client.post("/v1/charges", content=body_of(ann), headers=headers) for _ in range(40))
        )

    answers = in_lane(studio, session)
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 39
    assert balances.of(ann.account.pk).balance == 45 * CREDIT


def test_a_key_used_for_another_request_is_a_conflict_between_lane_and_view(ann: Payer, studio: Api) -> None:
    assert post(studio, "/v1/charges", body_of(ann), idem="k").status_code == 202
    reply = studio.post("/v1/charges", work(ann, reference="other"), idem="k")
    assert (reply.status, reply.code) == (409, "idempotency_conflict")


def test_a_revoked_key_gets_nothing_though_it_is_still_cached(ann: Payer, studio: Api) -> None:
    identities.cache.enabled = True
    assert post(studio, "/v1/charges", body_of(ann)).status_code == 202
    revoke(ApiKey.objects.get(account=ann.account))
    assert identities.by_key(ann.key) is not None, "the cache still knows the key"
    refused = post(studio, "/v1/charges", body_of(ann))
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")


def test_a_database_that_is_gone_answers_503_and_never_a_false_success(ann: Payer, studio: Api) -> None:
    async def session() -> httpx.Response:
        async with client_of(lane_to("host=/nowhere dbname=none"), studio) as client:
            return await client.post("/v1/charges", content=body_of(ann))

    answer = asyncio.run(session())
    assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable")


def test_broken_connections_are_opened_again(ann: Payer, studio: Api) -> None:
    async def session(client: httpx.AsyncClient) -> list[int]:
        codes = [(await client.post("/v1/charges", content=body_of(ann))).status_code]
        await asyncio.to_thread(_end_other_connections)
        codes += [(await client.post("/v1/charges", content=body_of(ann))).status_code for _ in range(2)]
        return codes

    assert in_lane(studio, session) == [202, 202, 202]
    assert balances.of(ann.account.pk).balance == 35 * CREDIT


def _end_other_connections() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND query ~ 'ledger_place|accounts_apikey k LEFT JOIN'"
        )
    connection.close()


def test_a_service_key_may_not_pay(ann: Payer, studio: Api) -> None:
    _, other = create_service_key("Other")
    raw = json.dumps(work(ann) | {"customer": {"api_key": other}}).encode()
    assert post(studio, "/v1/charges", raw).json() == studio.post("/v1/charges", raw).body


def test_keys_that_were_used_are_noted_in_passing(ann: Payer, studio: Api) -> None:
    lane = lane_to(_dsn())

    async def session() -> None:
        async with client_of(lane, studio) as client:
            await client.post("/v1/charges", content=body_of(ann))
        await lane.close()

    asyncio.run(session())
    assert not ApiKey.objects.exclude(last_used_at=None).exists(), "not on the request's way"
    lane.look_round()
    assert ApiKey.objects.exclude(last_used_at=None).count() == 2


def test_phases_are_reported_as_by_the_view(sites: None, studio: Api) -> None:
    """What the lane remembers of a charge is from before reports that the view, another process maybe, has taken."""
    lane_s, view_s = (payer(name, "sites", plan="basic") for name in ("Lane", "View"))
    hero, video = {"id": "hero-image"}, {"id": "motion-video", "status": "failed"}
    partial = [
        {"partial": True, "outputs": {"phases": phases}} for phases in ([hero], [video], [{"id": "x"}])
    ]
    whole = {"outputs": {"phases": [{"id": "html-assembly"}]}}
    steps = [*partial, whole, partial[0]]

    def by_view(payer: Payer) -> list[Any]:
        path = f"/v1/charges/{studio.post('/v1/charges', work(payer, model='site')).body['id']}/settle"
        return [studio.post(path, body).body for body in steps]

    async def in_turn(client: httpx.AsyncClient) -> list[Any]:
        placed = await client.post("/v1/charges", json=work(lane_s, model="site"))
        path = f"/v1/charges/{placed.json()['id']}/settle"
        answers = [await asyncio.to_thread(elsewhere, path)]
        return answers + [(await client.post(path, json=body)).json() for body in steps[1:]]

    def elsewhere(path: str) -> Any:
        try:
            return studio.post(path, steps[0]).body
        finally:
            connections.close_all()

    def known(answers: list[Any]) -> list[Any]:
        return [{name: value for name, value in answer.items() if name != "id"} for answer in answers]

    assert known(in_lane(studio, in_turn)) == known(by_view(view_s))
    assert {charge.cost for charge in Charge.objects.all()} == {68 * CREDIT}
    assert [len(charge.reports or ()) for charge in Charge.objects.all()] == [2, 2]


def test_phases_reported_at_once_all_count(sites: None, studio: Api) -> None:
    sam = payer("Sam", "sites", plan="basic")
    phases = ["hero-image", "motion-video", "html-assembly", "frame-extraction", "further-images"]

    async def session(client: httpx.AsyncClient) -> list[httpx.Response]:
        placed = await client.post("/v1/charges", json=work(sam, model="site"))
        path = f"/v1/charges/{placed.json()['id']}/settle"
        bodies = [{"partial": True, "outputs": {"phases": [{"id": phase, "cost": "10"}]}} for phase in phases]
        said = await asyncio.gather(*[client.post(path, json=body) for body in bodies])
        return [*said, await client.post(path, json={})]

    answers = in_lane(studio, session)
    assert [answer.status_code for answer in answers] == [200] * 6
    assert answers[-1].json()["metadata"]["cost"] == "50"
    assert sorted(answer.json()["metadata"]["cost"] for answer in answers[:5]) == [
        "10",
        "20",
        "30",
        "40",
        "50",
    ]
