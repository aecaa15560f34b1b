"""Advertisements: real pictures in both formats, charged on acceptance, refunded when not delivered."""

from decimal import Decimal

import pytest

from tests.client.stand_in import StandIn
from tests.studio.running import StudioProcess, wait_until

AD = {
    "product": "static",
    "headline": "Fresh bread at six",
    "text": "Every morning.",
    "colors": ["#003366", "#ff8800"],
}


def test_static_delivers_a_vertical_and_a_square_png(studio: StudioProcess, credits: StandIn) -> None:
    accepted = studio.call("POST", "/v1/ads/generate", AD)
    assert accepted.status == 202
    assert accepted.json["charge"] in credits.charges
    assert accepted.json["metadata"]["cost"] == "5"
    assert accepted.json["balance"] == "45"
    job = studio.finished(accepted.json["id"])
    pictures = studio.pictures(job)
    assert [(p.format, p.size) for p in pictures] == [("PNG", (1080, 1920)), ("PNG", (1080, 1350))]
    assert [(item["width"], item["height"]) for item in job["results"]] == [(1080, 1920), (1080, 1350)]


@pytest.mark.slow
def test_text_and_colours_of_the_request_are_in_the_picture(studio: StudioProcess, credits: StandIn) -> None:
    def vertical(**changes: object) -> bytes:
        accepted = studio.call("POST", "/v1/ads/generate", {**AD, **changes})
        return studio.pictures(studio.finished(accepted.json["id"]))[0].convert("RGB").tobytes()

    first = vertical()
    assert vertical() == first
    assert vertical(headline="Fresh bread at seven") != first
    red, green, blue = vertical(colors=["#00cc44", "#00cc44"])[:3]
    assert green > red
    assert green > blue


@pytest.mark.slow
def test_full_adds_an_animation_of_each_format(studio: StudioProcess, credits: StandIn) -> None:
    accepted = studio.call("POST", "/v1/ads/generate", {**AD, "product": "full"})
    pictures = studio.pictures(studio.finished(accepted.json["id"]))
    assert [p.format for p in pictures] == ["PNG", "PNG", "WEBP", "WEBP"]
    assert [p.size for p in pictures[2:]] == [(720, 1280), (720, 900)]
    assert all(getattr(p, "n_frames", 1) >= 10 for p in pictures[2:])


def test_a_failed_delivery_is_refunded_by_itself(studio: StudioProcess, credits: StandIn) -> None:
    accepted = studio.call("POST", "/v1/ads/generate", {**AD, "simulate": "failure"})
    assert (accepted.status, accepted.json["balance"]) == (202, "45")
    job = studio.finished(accepted.json["id"])
    assert job["status"] == "failed"
    assert "failed" in job["failure"]
    assert job["metadata"]["cost"] == "0"
    assert job["balance"] == "50"
    assert credits.charges[job["charge"]]["status"] == "refunded"
    assert "results" not in job


def test_a_dry_run_estimates_and_does_nothing_else(studio: StudioProcess, credits: StandIn) -> None:
    answer = studio.call("POST", "/v1/ads/generate?dryRun=true", AD)
    assert (answer.status, answer.json["cost_estimate"], answer.json["available_after"]) == (200, "5", "45")
    assert credits.charges == {}
    assert credits.balance == 50


def test_too_few_credits_is_the_portals_own_402(studio: StudioProcess, credits: StandIn) -> None:
    credits.balance = Decimal(4)
    answer = studio.call("POST", "/v1/ads/generate", AD)
    assert answer.status == 402
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json == {
        "type": "about:blank",
        "title": "Not enough credits",
        "status": 402,
        "detail": "Add funds to go on.",
        "code": "insufficient_credits",
        "required": "5",
        "available": "4",
        "unit": "credit",
        "remedies": [{"code": "add_funds", "url": f"{credits.url}/credits/add"}],
    }


def test_the_same_idempotency_key_is_one_job_and_one_charge(studio: StudioProcess, credits: StandIn) -> None:
    first = studio.call("POST", "/v1/ads/generate", AD, Idempotency_Key="order-7")
    again = studio.call("POST", "/v1/ads/generate", AD, Idempotency_Key="order-7")
    assert (again.status, again.json["id"]) in ((200, first.json["id"]), (202, first.json["id"]))
    assert again.headers["idempotent-replayed"] == "true"
    other = studio.call("POST", "/v1/ads/generate", {**AD, "text": "Else."}, Idempotency_Key="order-7")
    assert (other.status, other.json["code"]) == (409, "idempotency_conflict")
    assert len(credits.charges) == 1


def test_a_refused_call_leaves_its_idempotency_key_free(studio: StudioProcess, credits: StandIn) -> None:
    credits.balance = Decimal(0)
    assert studio.call("POST", "/v1/ads/generate", AD, Idempotency_Key="order-8").status == 402
    credits.balance = Decimal(5)
    assert studio.call("POST", "/v1/ads/generate", AD, Idempotency_Key="order-8").status == 202


def test_a_settled_charge_is_asked_of_the_portal_once(studio: StudioProcess, credits: StandIn) -> None:
    accepted = studio.call("POST", "/v1/ads/generate", AD)
    studio.finished(accepted.json["id"])
    wait_until(lambda: credits.calls["authorize"] == 1, what="one authorization")
    assert credits.calls["settle"] == 0
