"""Phases reported one by one over HTTP: what each report answers, what is held, and what the work costs in the end."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.keys import revoke
from accounts.models import ApiKey
from billing.ledger import clock
from billing.ledger.models import Charge, IdempotencyRecord, Transaction
from billing.ledger.reports import TIMED_OUT
from billing.models import EstimateAccuracy
from billing.selectors import hold_margins
from billing.services import charges, offers, reconciliation
from billing.services.offers import Tier
from catalog import snapshot
from catalog.models import Profile
from tests.billing.api.conftest import Api, Payer, Reply, payer
from tests.billing.api.test_offers import offer
from tests.billing.api.working import authorize
from tests.billing.ledger.conftest import at

HERO = {"id": "hero-image", "hero_model": "seedream-4-5", "hero_resolution": "HD"}
VIDEO = {"id": "motion-video"}
Work = dict[str, Any]


@pytest.fixture
def sam(sites: None) -> Payer:
    """Basic on profile sites, 10,000 credits: a whole site holds 600."""
    sam = payer("Sam", "sites", plan="basic")
    sam.give(10_000 - int(sam.api.get("/v1/balance").body["balance"]))
    return sam


@pytest.fixture
def site(sam: Payer, studio: Api) -> Work:
    work = authorize(studio, sam, model="site")
    assert work["hold"] == "600"
    return work


def settle(studio: Api, work: Work, idem: str | None = None, **body: Any) -> Reply:
    return studio.post(f"/v1/charges/{work['id']}/settle", body, idem)


def report(studio: Api, work: Work, *phases: Any, idem: str | None = None, **body: Any) -> Reply:
    return settle(studio, work, idem, partial=True, outputs={"phases": list(phases)}, **body)


def told(reply: Reply) -> tuple[Any, ...]:
    assert reply.status == 200, reply.body
    body = reply.body
    return body["status"], body["metadata"]["cost"], body.get("hold"), body["returned"], body["available"]


def sound() -> bool:
    return not [finding.name for finding in reconciliation.run() if finding.breaches]


def test_a_site_is_reported_phase_by_phase(sam: Payer, site: Work, studio: Api) -> None:
    first = report(studio, site, HERO, provider="p", provider_name="P")
    assert told(first) == ("authorized", "20", "560", "40", "9440")
    assert first.body["metadata"]["cost_estimate"] == "600"
    assert first.body["metadata"]["provider_name"] == "P"
    failed = report(studio, site, {"id": "motion-video", "status": "failed"}, executed_model="veo")
    assert told(failed) == ("authorized", "20", "304", "256", "9696")
    assert sam.api.get("/v1/balance").body["held"] == "304"
    assert not Transaction.objects.filter(kind="usage").exists()
    last = settle(studio, site, outputs={"phases": {"html-assembly": {"tokens": 9000}}})
    assert told(last) == ("settled", "29", None, "275", "9971")
    assert last.body["metadata"]["cost_estimate"] == "600"
    assert (last.body["metadata"]["provider"], last.body["metadata"]["executed_model"]) == ("p", "veo")
    lines = {line["what"]: line["amount"] for line in sam.api.get(f"/v1/charges/{site['id']}").body["lines"]}
    assert lines == {
        "Hero image HD": "20",
        "Motion video, 8 s 1080p (failed, not charged)": "0",
        "HTML assembly": "9",
        "Frame extraction (not reported, not charged)": "0",
    }
    assert Transaction.objects.get(kind="usage").amount == -29_000_000
    assert sound()


def test_a_running_charge_shows_what_was_reported(sam: Payer, site: Work, studio: Api) -> None:
    before = sam.api.get(f"/v1/charges/{site['id']}").body
    assert (before["reported"], "cost" in before["metadata"]) == ([], False)
    report(studio, site, HERO, {"id": "motion-video", "status": "skipped"})
    running = sam.api.get(f"/v1/charges/{site['id']}").body
    assert [(phase["id"], phase["status"]) for phase in running["reported"]] == [
        ("hero-image", "succeeded"),
        ("motion-video", "skipped"),
    ]
    assert running["reported"][0]["reported_at"] > running["authorized_at"]
    assert (running["status"], running["hold"], running["metadata"]["cost"]) == ("authorized", "304", "20")
    assert running["metadata"]["cost_estimate"] == "600"
    assert sum(Decimal(line["amount"]) for line in running["lines"]) == 20


def test_what_is_reported_for_more_than_expected_does_not_grow_the_hold(site: Work, studio: Api) -> None:
    assert told(report(studio, site, VIDEO | {"cost": "500"}))[1:4] == ("500", "600", "0")
    assert told(report(studio, site, {"id": "further-images", "status": "skipped"}))[1:4] == (
        "500",
        "568",
        "32",
    )


def test_a_settle_without_outputs_settles_what_was_reported(site: Work, studio: Api) -> None:
    report(studio, site, HERO)
    assert told(settle(studio, site)) == ("settled", "20", None, "540", "9980")
    assert told(settle(studio, site)) == ("settled", "20", None, "540", "9980")
    assert settle(studio, site, cost="21").code == "invalid_state"


def test_an_empty_last_report_adds_nothing(site: Work, studio: Api) -> None:
    report(studio, site, HERO)
    assert told(settle(studio, site, outputs={"phases": []}))[1] == "20"


def test_a_cost_overrides_what_was_reported(sam: Payer, site: Work, studio: Api) -> None:
    report(studio, site, HERO)
    assert told(settle(studio, site, cost="123"))[:2] == ("settled", "123")
    lines = sam.api.get(f"/v1/charges/{site['id']}").body["lines"]
    assert [(line["what"], line["amount"]) for line in lines] == [("Actual cost", "123")]


def test_the_same_report_again_answers_the_same(site: Work, studio: Api) -> None:
    first = report(studio, site, HERO)
    by_name = {key: value for key, value in HERO.items() if key != "id"} | {"status": "succeeded"}
    again = settle(studio, site, partial=True, outputs={"phases": {"hero-image": by_name}})
    assert again.body == first.body
    assert len(Charge.objects.get().reports or ()) == 1


def test_a_phase_is_reported_once(site: Work, studio: Api) -> None:
    report(studio, site, HERO)
    for reply in (
        report(studio, site, {"id": "hero-image", "status": "failed"}),
        settle(studio, site, outputs={"phases": {"hero-image": {"cost": "1"}}}),
    ):
        assert (reply.status, reply.code, reply.body["phases"]) == (409, "invalid_state", ["hero-image"])
        assert "hero-image" in reply.body["detail"]
    assert told(settle(studio, site, outputs={"phases": [HERO, VIDEO]}))[1] == "276"


def test_a_finished_charge_takes_no_report(sam: Payer, site: Work, studio: Api) -> None:
    report(studio, site, HERO)
    settle(studio, site)
    late = report(studio, site, VIDEO)
    assert (late.status, late.code, late.body["status_now"]) == (409, "invalid_state", "settled")
    other = authorize(studio, sam, model="site")
    report(studio, other, HERO)
    assert studio.post(f"/v1/charges/{other['id']}/void", {"reason": "gone"}).status == 200
    assert report(studio, other, HERO).body["status_now"] == "voided"
    assert sam.api.get("/v1/balance").body["available"] == "9980"
    voided = sam.api.get(f"/v1/charges/{other['id']}").body
    assert (voided["metadata"]["cost"], len(voided["reported"])) == ("0", 1)
    assert sound()


def test_a_hold_that_times_out_is_charged_at_what_was_reported(sam: Payer, site: Work, studio: Api) -> None:
    report(studio, site, HERO)
    at(datetime.fromisoformat(site["expires_at"]) + timedelta(seconds=1))
    charges.expire_all_due()
    ended = sam.api.get(f"/v1/charges/{site['id']}").body
    assert (ended["status"], ended["metadata"]["cost"]) == ("settled", "20")
    assert ended["reason"] == TIMED_OUT
    assert sum(Decimal(line["amount"]) for line in ended["lines"]) == 20
    assert told(settle(studio, site))[:2] == ("settled", "20")
    assert sound()


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"outputs.phases"}),
        ({"outputs": {}}, {"outputs.phases"}),
        ({"outputs": {"phases": []}}, {"outputs.phases"}),
        ({"outputs": {"phases": {}}}, {"outputs.phases"}),
        ({"outputs": {"phases": None}}, {"outputs.phases"}),
        ({"outputs": {"phases": "all"}}, {"outputs.phases"}),
        ({"outputs": {"phases": ["hero-image"]}}, {"outputs.phases"}),
        ({"outputs": {"phases": [{"id": "footer"}]}}, {"outputs.phases"}),
        ({"outputs": {"phases": [HERO, HERO]}}, {"outputs.phases"}),
        ({"outputs": {"phases": [{"id": "hero-image", "status": "late"}]}}, {"outputs.phases"}),
        ({"outputs": {"phases": [{"id": "html-assembly", "tokens": -1}]}}, {"outputs.tokens"}),
        ({"outputs": {"phases": [HERO], "hero_model": "seedream-4-5"}}, {"outputs.hero_model"}),
        ({"outputs": {"phases": [HERO]}, "cost": "20"}, {"cost"}),
        ({"cost": "20"}, {"cost", "outputs.phases"}),
        ({"outputs": {"phases": [HERO]}, "partial": "true"}, {"partial"}),
        ({"outputs": {"phases": [HERO]}, "partial": 1}, {"partial"}),
    ],
)
def test_what_is_not_a_report_is_refused(
    site: Work, studio: Api, body: dict[str, Any], fields: set[str]
) -> None:
    reply = settle(studio, site, **{"partial": True, **body})
    assert (reply.status, reply.code, reply.fields) == (422, "invalid_request", fields)
    assert Charge.objects.get().reports is None


def test_a_refund_of_reported_work_is_no_time_out(sam: Payer, site: Work, studio: Api) -> None:
    report(studio, site, HERO | {"cost": "2"})
    settle(studio, site, outputs={"phases": [VIDEO | {"cost": "3"}]})
    refund = studio.post(f"/v1/charges/{site['id']}/refund", {"amount": "1", "reason": "Blurred."})
    assert refund.status == 200
    assert sound()


@pytest.mark.parametrize("partial", [True, False])
def test_phases_that_come_to_more_than_an_amount_can_say_are_refused(
    site: Work, studio: Api, partial: bool
) -> None:
    most = "999999999999"
    phases = [HERO | {"cost": most}, VIDEO | {"cost": most}]
    reply = settle(studio, site, partial=partial, outputs={"phases": phases})
    assert (reply.status, reply.code, reply.fields) == (422, "invalid_request", {"outputs"})


def test_work_without_phases_is_settled_as_a_whole(eva: Payer, studio: Api) -> None:
    work = authorize(studio, eva, model="seedream-4-5")
    reply = report(studio, work, {"id": "hero-image"})
    assert (reply.status, reply.fields) == (422, {"outputs.phases"})
    assert "has no phases" in reply.body["errors"][0]["message"]


def test_an_idempotency_key_answers_as_at_first(site: Work, studio: Api) -> None:
    first = report(studio, site, HERO, idem="r1")
    report(studio, site, VIDEO, idem="r2")
    settle(studio, site)
    again = report(studio, site, HERO, idem="r1")
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert report(studio, site, VIDEO, idem="r1").code == "idempotency_conflict"
    assert IdempotencyRecord.objects.filter(key__in=["r1", "r2"]).count() == 2


def test_strangers_and_revoked_keys_report_nothing(sam: Payer, site: Work, studio: Api) -> None:
    path, body = f"/v1/charges/{site['id']}/settle", {"partial": True, "outputs": {"phases": [HERO]}}
    assert sam.api.post(path, body).code == "forbidden"
    assert studio.post("/v1/charges/ch_00000000000000000000000000000000/settle", body).code == "not_found"
    revoke(ApiKey.objects.get(kind="service"))
    assert studio.post(path, body).code == "unauthorized"
    assert Charge.objects.get().reports is None


def test_prices_and_offers_are_those_of_the_authorization(sam: Payer, studio: Api) -> None:
    agreed = offer(sam, Tier(0, percent=Decimal(10)), name="Ten off", committed=1)
    work = authorize(
        studio, sam, model="site", parameters={"hero_model": "nano-banana-pro", "hero_resolution": "HD"}
    )
    assert work["hold"] == "513"
    offers.end(agreed, reason="Over", staff=None)
    snapshot.refresh()
    assert told(report(studio, work, {"id": "hero-image"}))[1:4] == ("27", "513", "0")
    assert told(report(studio, work, {"id": "further-images", "status": "failed"}))[1:4] == (
        "27",
        "264.6",
        "248.4",
    )
    lines = sam.api.get(f"/v1/charges/{work['id']}").body["lines"]
    assert lines[-1] == {"what": "Ten off", "quantity": "1", "unit_price": "-3", "amount": "-3"}


def test_the_rest_is_held_as_the_whole_was(sam: Payer, studio: Api) -> None:
    """Where holds follow what work turned out to cost: 20% above the estimate, also for what is still to come."""
    Profile.objects.filter(pk="sites").update(
        settings=Profile.objects.get(pk="sites").settings
        | {"hold_follows_estimates": {"most_percent": 50, "least_settled": 20}}
    )
    EstimateAccuracy.objects.create(
        profile="sites", model="site", operation="generate", count=50, estimated=1, effective=1, median=0, p95=200_000,
        excess=200_000, over_hold=0, measured_at=clock.now(),
    )  # fmt: skip
    snapshot.refresh()
    hold_margins.expire()
    try:
        work = authorize(studio, sam, model="site")
    finally:
        hold_margins.expire()
    assert work["hold"] == "720"
    assert told(report(studio, work, HERO))[1:4] == ("20", "668", "52")
    assert told(report(studio, work, VIDEO))[1:4] == ("276", "616.8", "51.2")


def test_what_was_held_at_an_instant_is_what_the_reports_left(sam: Payer, site: Work, studio: Api) -> None:
    start = datetime.fromisoformat(site["authorized_at"])

    def held(minute: float) -> str:
        moment = (start + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")
        return str(sam.api.get(f"/v1/balance?as_of={moment}").body["held"])

    for minute, phase in ((10, HERO), (20, VIDEO)):
        at(start + timedelta(minutes=minute))
        report(studio, site, phase if minute == 10 else {"id": "motion-video", "status": "failed"})
    at(start + timedelta(minutes=30))
    settle(studio, site)
    assert [held(minute) for minute in (5, 10, 15, 20, 25, 30)] == ["600", "560", "560", "304", "304", "0"]
