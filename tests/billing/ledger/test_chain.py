"""Each account's history is a chain of hashes that anybody can follow outside the database."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from billing.ledger import grants
from billing.ledger.holds import place
from billing.ledger.models import Balance, Transaction
from tests.billing.ledger.conftest import CREDIT, OpenAccount, at, give, hold, settle, wanted


def test_every_hash_covers_its_row_and_the_hash_before_it(open_account: OpenAccount) -> None:
    account, expiry = open_account(20), datetime.now(UTC) + timedelta(days=1)
    give(
        account,
        5,
        expires_at=expiry,
        details={"why": 'Zoë\'s "first"\n\ttop-up \\ \u2028', "at": [1, {"b": None, "a": True}]},
    )
    settle(hold(account, 3, reference="a|b\x7f\u00e9", model="m"), 3)
    place([wanted(account, 2, settle_now=True), wanted(account, 1, settle_now=True)])
    at(expiry)
    assert grants.expire(account) == 0
    give(account, 1, expires_at=expiry + timedelta(days=1))
    grants.withdraw(
        account_id=account, micros=CREDIT, kind="adjustment", description="x" * 200, key="test:out"
    )

    rows = list(Transaction.objects.filter(account_id=account).order_by("seq"))
    assert len(rows) == 7
    head = bytes(32)
    for row in rows:
        head = hashlib.sha256(head + json.dumps(_columns(row), ensure_ascii=False).encode()).digest()
        assert bytes(row.hash) == head, row
    assert bytes(Balance.objects.get(pk=account).head) == head


def test_two_accounts_in_one_call_have_a_chain_each(open_account: OpenAccount) -> None:
    first, second = open_account(10), open_account(10)
    place([wanted(account, 1, settle_now=True) for account in (first, second, first, second)])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT hash, ledger_chain(decode(repeat('00', 32), 'hex'), ledger_text(t))"
            " OVER (PARTITION BY account_id ORDER BY seq) AS found FROM ledger_transaction t) h WHERE hash = found"
        )
        assert cursor.fetchone()[0] == Transaction.objects.count() == 6


def test_a_clock_set_back_puts_nothing_before_what_was_there(open_account: OpenAccount) -> None:
    account, other = open_account(10), open_account(10)
    now = datetime.now(UTC)
    at(now + timedelta(hours=1))
    settle(hold(account, 1), 1)
    at(now + timedelta(minutes=5))
    charges = [hold(account, 2), hold(other, 2)]
    for charge in charges:
        settle(charge, 2)

    times = list(Transaction.objects.filter(account_id=account).order_by("seq").values_list("created_at"))
    assert times == sorted(times)
    assert times[-1] == times[-2] == (now + timedelta(hours=1),)
    assert Transaction.objects.get(account_id=other, kind="usage").created_at == now + timedelta(minutes=5)


def _columns(row: Transaction) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT details::text FROM ledger_transaction WHERE id = %s", [row.pk])
        details = cursor.fetchone()[0]
    ids = [row.charge_id, row.api_key_id]
    charge, key_id = (None if value is None else str(value) for value in ids)
    return [
        row.seq, str(row.pk), str(row.account_id), row.kind, row.amount, row.balance_after, row.unit, row.description,
        charge, row.reference, row.model, key_id, row.key, "" if details == "{}" else details,
        row.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    ]  # fmt: skip
