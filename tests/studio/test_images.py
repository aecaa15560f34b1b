"""Images: a hold for the estimate, settled at what the work cost; nothing charged for what fails."""

from decimal import Decimal

import pytest

from tests.client.stand_in import StandIn
from tests.studio.running import StudioProcess

IMAGE = {"model": "nano-banana-2", "prompt": "a lighthouse at dusk", "count": 2}


def test_the_answer_carries_the_actual_cost_below_the_estimate(
    studio: StudioProcess, portal: StandIn
) -> None:
    answer = studio.call("POST", "/v1/images/generate", IMAGE)
    assert answer.status == 200
    job = answer.json
    assert job["metadata"]["cost_estimate"] == "0.08"
    assert Decimal(0) < Decimal(job["cost_eur"]) < Decimal("0.08")
    assert job["cost_eur"] == job["metadata"]["cost"]
    assert Decimal(job["balance_eur"]) == portal.balance == Decimal(10) - Decimal(job["cost_eur"])
    assert portal.held == 0


def test_the_metadata_names_who_did_the_work(studio: StudioProcess, portal: StandIn) -> None:
    job = studio.call("POST", "/v1/images/generate", IMAGE).json
    routing = {
        name: job["metadata"][name] for name in ("provider", "provider_name", "executed_model", "upstream_id")
    }
    assert routing["executed_model"] == "nano-banana-2"
    assert all(routing.values())
    assert {name: portal.charges[job["charge"]][name] for name in routing} == routing


def test_as_many_pictures_as_asked_for_each_another(studio: StudioProcess) -> None:
    job = studio.call("POST", "/v1/images/generate", {**IMAGE, "aspect_ratio": "16:9", "format": "webp"}).json
    pictures = studio.pictures(job)
    assert [(p.format, p.size) for p in pictures] == [("WEBP", (1024, 576))] * 2
    assert pictures[0].tobytes() != pictures[1].tobytes()


@pytest.mark.parametrize(("resolution", "side"), [("1K", 1024), ("2K", 2048), ("4K", 4096)])
def test_the_resolution_is_the_long_side(studio: StudioProcess, resolution: str, side: int) -> None:
    job = studio.call("POST", "/v1/images/generate", {**IMAGE, "count": 1, "resolution": resolution}).json
    assert studio.pictures(job)[0].size == (side, side)


def test_a_failed_generation_is_not_charged(studio: StudioProcess, portal: StandIn) -> None:
    answer = studio.call("POST", "/v1/images/generate", {**IMAGE, "simulate": "failure"})
    assert (answer.status, answer.json["status"]) == (200, "failed")
    assert (answer.json["cost_eur"], answer.json["balance_eur"]) == ("0", "10")
    assert portal.charges[answer.json["charge"]]["status"] == "voided"
    assert portal.balance == 10
    assert portal.held == 0


def test_only_delivered_pictures_are_paid(studio: StudioProcess, portal: StandIn) -> None:
    whole = studio.call("POST", "/v1/images/generate", {**IMAGE, "count": 4}).json
    half = studio.call("POST", "/v1/images/generate", {**IMAGE, "count": 4, "simulate": "partial"}).json
    assert len(half["results"]) == 2
    assert Decimal(half["cost_eur"]) * 2 == Decimal(whole["cost_eur"])


def test_an_account_in_credits_pays_the_price_of_its_outputs(studio: StudioProcess, portal: StandIn) -> None:
    portal.unit, portal.price, portal.balance = "credit", Decimal(2), Decimal(50)
    job = studio.call("POST", "/v1/images/generate", IMAGE).json
    assert job["metadata"]["cost"] == "4"
    assert portal.charges[job["charge"]]["outputs"] == {"count": 2, "resolution": "1K"}
    assert "cost_eur" not in job


@pytest.mark.slow
def test_without_waiting_the_hold_shows_until_the_work_is_done(
    studio: StudioProcess, portal: StandIn
) -> None:
    answer = studio.call("POST", "/v1/images/generate", {**IMAGE, "wait": False, "simulate": "slow"})
    assert (answer.status, answer.json["status"]) == (202, "running")
    assert "cost" not in answer.json["metadata"]
    assert answer.headers["location"] == f"/v1/jobs/{answer.json['id']}"
    assert portal.held == Decimal("0.08")
    assert studio.finished(answer.json["id"])["status"] == "completed"
    assert portal.held == 0


def test_a_video_has_an_estimate_at_first_and_its_cost_at_the_end(
    studio: StudioProcess, portal: StandIn
) -> None:
    body = {"model": "veo-3-1", "prompt": "waves", "seconds": 2}
    accepted = studio.call("POST", "/v1/videos/generate", body)
    assert accepted.status == 202
    assert "cost" not in accepted.json["metadata"]
    job = studio.finished(accepted.json["id"])
    assert job["metadata"]["cost"] == "0.04"
    assert portal.charges[job["charge"]]["outputs"] == {"seconds": 2, "resolution": "720p"}
    assert getattr(studio.pictures(job)[0], "n_frames", 1) == 8


def test_a_model_without_a_price_is_the_portals_own_422(studio: StudioProcess, portal: StandIn) -> None:
    answer = studio.call("POST", "/v1/images/generate", {**IMAGE, "model": "unknown"})
    assert (answer.status, answer.json["code"]) == (422, "not_offered")
