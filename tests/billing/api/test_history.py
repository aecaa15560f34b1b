"""The balance as of an instant, why it moved, and statements, over the API."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils.timezone import now

from billing.ledger import balances, usage_days
from billing.ledger.models import Charge, Transaction
from billing.selectors.api import instant
from tests.billing.api.conftest import CREDIT, Api, Payer
from tests.billing.api.working import authorize, hold


def test_the_balance_as_of_a_transaction_includes_it(ann: Payer, studio: Api) -> None:
    authorize(studio, ann)
    authorize(studio, ann)
    times = list(Transaction.objects.order_by("seq").values_list("created_at", flat=True))
    bodies = [ann.api.get(f"/v1/balance?as_of={instant(moment)}").body for moment in times]
    assert [body["balance"] for body in bodies] == ["50", "45", "40"]
    assert [body["transactions"] for body in bodies] == [1, 2, 3]
    just_before = times[2] - timedelta(microseconds=1)
    assert ann.api.get(f"/v1/balance?as_of={instant(just_before)}").body["balance"] == "45"


def test_before_the_first_transaction_there_was_nothing(ann: Payer) -> None:
    for moment in ("2020-01-01T00:00:00Z", "0001-01-01T00:00:00Z"):
        body = ann.api.get(f"/v1/balance?as_of={moment}").body
        assert (body["balance"], body["held"], body["transactions"]) == ("0", "0", 0)


def test_what_was_held_then_is_told_after_it_ended(eva: Payer, studio: Api) -> None:
    held = hold(studio, eva)
    began = Charge.objects.get().authorized_at
    studio.post(f"/v1/charges/{held['id']}/settle", {"cost": "0.01"})
    ended = Transaction.objects.get(kind="usage").created_at
    during = eva.api.get(f"/v1/balance?as_of={instant(began)}").body
    after = eva.api.get(f"/v1/balance?as_of={instant(ended)}").body
    assert (during["balance"], during["held"], during["available"]) == (
        "20.5",
        held["hold"],
        held["available"],
    )
    assert (after["balance"], after["held"]) == ("20.49", "0")


def test_what_was_available_counts_the_credit_limit_of_that_instant(ann: Payer) -> None:
    opened = now()
    limits = []
    for limit in (30, 0, 12):
        balances.set_credit_limit(ann.account.pk, limit * CREDIT)
        limits.append(now())
    bodies = [ann.api.get(f"/v1/balance?as_of={instant(moment)}").body for moment in (opened, *limits)]
    assert [(body["credit_limit"], body["available"]) for body in bodies] == [
        ("0", "50"), ("30", "80"), ("0", "50"), ("12", "62"),
    ]  # fmt: skip
    assert bodies[-1]["available"] == ann.api.get("/v1/balance").body["available"]
    moved = ann.api.get(f"/v1/balance/changes?from={instant(limits[0])}").body
    assert (moved["opening"]["available"], moved["closing"]["available"], moved["change"]) == (
        "80",
        "62",
        "0",
    )


def test_where_the_credit_limit_was_not_noted_it_is_not_made_up(ann: Payer) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE ledger_limitchange SET since = now(), credit_limit = 9000000")
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    before = ann.api.get(f"/v1/balance?as_of={instant(now() - timedelta(hours=1))}").body
    assert before["credit_limit"] is None
    assert before["available"] == before["balance"]


@pytest.mark.parametrize("path", ["/v1/balance?as_of=", "/v1/balance/changes?from=2026-01-01T00:00:00Z&to="])
def test_nothing_is_told_of_the_future(ann: Payer, path: str) -> None:
    reply = ann.api.get(path + instant(now() + timedelta(hours=1)))
    assert (reply.status, reply.code) == (422, "invalid_request")


@pytest.mark.parametrize(
    "moment", ["yesterday", "2026-01-01", "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z"]
)
def test_what_is_no_time_is_refused(ann: Payer, moment: str) -> None:
    assert ann.api.get(f"/v1/balance?as_of={moment}").status == 422
    assert ann.api.get(f"/v1/balance/changes?from={moment}").status == 422


def test_changes_lead_from_the_opening_to_the_closing_balance(ann: Payer, studio: Api) -> None:
    first = Transaction.objects.get().created_at
    authorize(studio, ann)
    authorize(studio, ann, model="full")
    body = ann.api.get(f"/v1/balance/changes?from={instant(first)}").body
    assert (body["opening"]["balance"], body["change"], body["closing"]["balance"]) == ("50", "-20", "30")
    assert [(line["type"], line["model"], line["transactions"], line["amount"]) for line in body["sums"]] == [
        ("usage", "full", 1, "-15"),
        ("usage", "static", 1, "-5"),
    ]
    assert [row["amount"] for row in body["largest"]] == ["-15", "-5"]


def test_changes_over_days_add_up_whatever_was_summed_by_day_before(ann: Payer, studio: Api) -> None:
    authorize(studio, ann)
    usage_days.fold_all()
    authorize(studio, ann)
    body = ann.api.get("/v1/balance/changes?from=2020-01-01T12:00:00Z").body
    assert sum(int(line["amount"]) for line in body["sums"]) == int(body["change"]) == 40
    assert sum(line["transactions"] for line in body["sums"]) == body["transactions"] == 3


def test_times_in_the_wrong_order_are_refused(ann: Payer) -> None:
    reply = ann.api.get("/v1/balance/changes?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z")
    assert (reply.status, reply.fields) == (422, {"from"})


def test_the_running_month_is_listed_as_a_preview_with_its_files(ann: Payer) -> None:
    (month,) = ann.api.get("/v1/statements").body["data"]
    assert (month["state"], month["closing_balance"], month["transactions"]) == ("preview", "50", 1)
    assert month["signature"] is None
    headers = {"Authorization": f"Bearer {ann.key}"}
    csv = Client().get(month["csv"], headers=headers)
    assert csv["Content-Type"] == "text/csv; charset=utf-8"
    assert "state,preview" in b"".join(csv.streaming_content).decode()  # type: ignore[attr-defined]
    assert Client().get(month["pdf"], headers=headers).content.startswith(b"%PDF")


@pytest.mark.parametrize("kind", ["csv", "pdf"])
def test_a_month_without_a_statement_is_not_found(ann: Payer, kind: str) -> None:
    for month in ("2019-01", "2026-99", "x"):
        assert ann.api.get(f"/v1/statements/{month}.{kind}").status == 404


def test_the_service_s_key_has_no_history(studio: Api) -> None:
    for path in ("/v1/statements", "/v1/balance/changes?from=2026-01-01T00:00:00Z"):
        assert studio.get(path).status == 403


def test_a_head_request_for_a_file_has_no_body(ann: Payer) -> None:
    month = ann.api.get("/v1/statements").body["data"][0]
    answer = Client().head(month["csv"], headers={"Authorization": f"Bearer {ann.key}"})
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content) == b""  # type: ignore[attr-defined]
