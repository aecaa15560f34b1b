"""Accepted work is finished, whoever leaves: the client, the studio itself (kill -9), or the portal."""

import http.client
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.client.stand_in import CUSTOMER_KEY, StandIn
from tests.studio.running import StudioProcess, wait_until

pytestmark = pytest.mark.slow

IMAGE = {"model": "m", "prompt": "p"}


@pytest.fixture
def studio(portal: StandIn, tmp_path: Path) -> Iterator[StudioProcess]:
    """One of its own for each test: it gets killed."""
    process = StudioProcess(portal.url, tmp_path / "data")
    process.start()
    yield process
    process.stop()


def the_only_charge(portal: StandIn) -> dict[str, Any]:
    (charge,) = portal.charges.values()
    return charge


def test_a_client_that_leaves_does_not_stop_the_work(studio: StudioProcess, portal: StandIn) -> None:
    connection = http.client.HTTPConnection(studio.url.removeprefix("http://"))
    headers = {"Authorization": f"Bearer {CUSTOMER_KEY}"}
    connection.request("POST", "/v1/images/generate", json.dumps({**IMAGE, "simulate": "slow"}), headers)
    wait_until(lambda: portal.charges, what="the hold")
    connection.close()
    wait_until(lambda: the_only_charge(portal)["status"] == "settled", what="the settlement")
    job = studio.finished(str(the_only_charge(portal)["reference"]))
    assert job["status"] == "completed"
    assert studio.call("GET", job["results"][0]["url"]).status == 200


def test_work_cut_off_by_a_kill_is_done_after_the_restart(studio: StudioProcess, portal: StandIn) -> None:
    accepted = studio.call("POST", "/v1/images/generate", {**IMAGE, "wait": False, "simulate": "slow"}).json
    studio.kill()
    assert the_only_charge(portal)["status"] == "authorized"
    studio.start()
    assert studio.finished(accepted["id"])["status"] == "completed"
    assert len(portal.charges) == 1
    assert portal.held == 0


def test_an_uploaded_picture_survives_a_kill_too(studio: StudioProcess, portal: StandIn) -> None:
    made = studio.call("POST", "/v1/images/generate", IMAGE).json
    body = {"source": made["results"][0]["file"], "operation": "resize", "width": 8, "simulate": "slow"}
    connection = http.client.HTTPConnection(studio.url.removeprefix("http://"))
    headers = {"Authorization": f"Bearer {CUSTOMER_KEY}"}
    connection.request("POST", "/v1/images/process", json.dumps(body), headers)
    wait_until(lambda: len(portal.charges) == 2, what="the hold")
    job_id = str(list(portal.charges.values())[1]["reference"])
    wait_until(lambda: studio.call("GET", f"/v1/jobs/{job_id}").status == 200, what="the job")
    studio.kill()
    connection.close()
    studio.start()
    job = studio.finished(job_id)
    assert studio.pictures(job)[0].size == (8, 8)


def test_a_kill_during_the_authorization_gives_the_hold_back(studio: StudioProcess, portal: StandIn) -> None:
    """The customer never heard that the work was accepted."""
    portal.fault("authorize", *["drop after"] * 9)
    portal.fault("find", "503")
    connection = http.client.HTTPConnection(studio.url.removeprefix("http://"))
    headers = {"Authorization": f"Bearer {CUSTOMER_KEY}"}
    connection.request("POST", "/v1/images/generate", json.dumps(IMAGE), headers)
    wait_until(lambda: portal.charges, what="the hold")
    studio.kill()
    connection.close()
    portal.faults["authorize"].clear()
    studio.start()
    wait_until(lambda: the_only_charge(portal)["status"] == "voided", what="the hold to be given back")
    assert portal.balance == 10
    assert portal.held == 0


def test_an_authorization_without_an_answer_is_given_back(studio: StudioProcess, portal: StandIn) -> None:
    portal.fault("authorize", *["drop after"] * 9)
    answer = studio.call("POST", "/v1/images/generate", IMAGE, Idempotency_Key="once")
    assert (answer.status, answer.json["code"]) == (503, "service_unavailable")
    assert portal.held == Decimal("0.04")
    portal.faults["authorize"].clear()
    wait_until(lambda: portal.held == 0, what="the hold to be given back")
    assert the_only_charge(portal)["status"] == "voided"
    again = studio.call("POST", "/v1/images/generate", IMAGE, Idempotency_Key="once")
    assert (again.status, again.json["status"]) == (200, "completed")


def test_a_portal_away_for_a_while_is_asked_again(studio: StudioProcess, portal: StandIn) -> None:
    portal.fault("settle", *["drop before"] * 4, "drop after", "503")
    answer = studio.call("POST", "/v1/images/generate", IMAGE)
    assert (answer.status, answer.json["status"]) == (200, "completed")
    assert the_only_charge(portal)["status"] == "settled"
    assert portal.balance == Decimal(10) - Decimal(answer.json["cost_eur"])


def test_a_refund_is_made_once_though_its_answer_was_lost(studio: StudioProcess, credits: StandIn) -> None:
    credits.fault("refund", "drop after", "drop after")
    body = {"product": "static", "headline": "H", "simulate": "failure"}
    accepted = studio.call("POST", "/v1/ads/generate", body).json
    assert studio.finished(accepted["id"])["balance"] == "50"
    assert credits.balance == 50


def test_a_hold_that_ran_out_costs_nothing_and_the_work_is_delivered(
    studio: StudioProcess, portal: StandIn
) -> None:
    accepted = studio.call("POST", "/v1/images/generate", {**IMAGE, "wait": False, "simulate": "slow"}).json
    portal.finish(accepted["charge"], "void", {})
    job = studio.finished(accepted["id"])
    assert (job["status"], job["cost_eur"]) == ("completed", "0")


def test_work_that_fails_after_its_hold_ran_out_is_simply_over(
    studio: StudioProcess, portal: StandIn
) -> None:
    portal.finish_at_authorization = "void"
    job = studio.call("POST", "/v1/images/generate", {**IMAGE, "simulate": "failure"}).json
    assert (job["status"], job["cost_eur"]) == ("failed", "0")
    assert portal.held == 0


def test_it_stops_politely_in_the_middle_of_work(studio: StudioProcess) -> None:
    studio.call("POST", "/v1/images/generate", {**IMAGE, "wait": False, "simulate": "slow"})
    assert studio.stop() in (0, -15)
