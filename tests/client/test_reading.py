"""What the client makes of the portal's answers: exact amounts, aware times, and nothing taken on trust."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from portal_client import BadAnswer, Portal

from tests.client.conftest import Script
from tests.client.stand_in import StandIn

BALANCE: dict[str, Any] = {
    "account": "acct_1",
    "mode": "prepaid",
    "unit": "credit",
    "balance": "12.5",
    "available": "7.5",
    "held": "5",
    "credit_price": {"amount": "0.1", "currency": "USD"},
    "grants": [{"id": "grant_1", "source": "bonus", "remaining": "12.5", "expires_at": None}],
    "pricing": {"static": "5", "full": "15"},
    "auto_recharge": {"enabled": True, "threshold": "20", "amount": "25", "monthly_cap": None},
    "spending_limit": None,
}


def transaction(number: int) -> dict[str, Any]:
    return {
        "id": f"txn_{number}",
        "type": "usage",
        "amount": "-0.061",
        "balance_after": "9.939",
        "description": "seedream-4-5",
        "charge": f"ch_{number}",
        "created_at": "2026-05-01T10:00:00Z",
    }


def test_amounts_are_exact_decimals(portal: Portal, script: Script) -> None:
    script(200, BALANCE)
    balance = portal.balance()
    assert (balance.balance, balance.available, balance.held) == (Decimal("12.5"), Decimal("7.5"), Decimal(5))
    assert balance.pricing == {"static": Decimal(5), "full": Decimal(15)}
    assert balance.credit_price is not None
    assert balance.credit_price.amount == Decimal("0.1")
    assert balance.grants[0].expires_at is None


def test_a_json_number_becomes_the_decimal_it_is_written_as(portal: Portal, script: Script) -> None:
    script(200, json.dumps(BALANCE).replace('"12.5"', "0.1000000000000000055").encode())
    assert portal.balance().balance == Decimal("0.1000000000000000055")


def test_times_are_aware(portal: Portal, script: Script) -> None:
    script(200, {"data": [transaction(1)], "next_cursor": None})
    assert portal.usage_page().data[0].created_at == datetime(2026, 5, 1, 10, tzinfo=UTC)


def test_usage_follows_the_cursor_to_the_end(portal: Portal, script: Script, stand_in: StandIn) -> None:
    script(200, {"data": [transaction(3), transaction(2)], "next_cursor": "c+1"})
    script(200, {"data": [transaction(1)], "next_cursor": None})
    rows = list(portal.usage(type="usage", since=datetime(2026, 5, 1, tzinfo=UTC), page_size=2))
    assert [row.id for row in rows] == ["txn_3", "txn_2", "txn_1"]
    asked = [path for _, path, _, _ in stand_in.seen]
    assert asked == [
        "/v1/usage?type=usage&from=2026-05-01T00%3A00%3A00Z&limit=2",
        "/v1/usage?type=usage&from=2026-05-01T00%3A00%3A00Z&cursor=c%2B1&limit=2",
    ]


def test_usage_is_fetched_as_it_is_read(portal: Portal, script: Script, stand_in: StandIn) -> None:
    script(200, {"data": [transaction(2)], "next_cursor": "more"})
    assert next(portal.usage()).id == "txn_2"
    assert len(stand_in.seen) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("balance", None),
        ("balance", True),
        ("balance", "twelve"),
        ("balance", "NaN"),
        ("balance", "Infinity"),
        ("grants", {}),
        ("grants", [1]),
        ("account", 7),
        ("pricing", []),
    ],
)
def test_an_answer_with_a_wrong_field_is_refused(
    portal: Portal, script: Script, field: str, value: object
) -> None:
    script(200, {**BALANCE, field: value})
    with pytest.raises(BadAnswer, match=field if field != "grants" else "list"):
        portal.balance()


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"balance": NaN}', b"\xff", b"[" * 100_000])
def test_an_answer_that_is_not_a_json_object_is_refused(portal: Portal, script: Script, body: bytes) -> None:
    script(200, body)
    with pytest.raises(BadAnswer):
        portal.balance()


def test_a_time_without_a_zone_is_not_sent(portal: Portal) -> None:
    with pytest.raises(ValueError, match="time zone"):
        portal.usage_page(since=datetime(2026, 5, 1))  # noqa: DTZ001
