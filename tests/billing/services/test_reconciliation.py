"""Whatever is changed in the books from outside is found, named, and told what to do about."""

import json
import uuid
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils.timezone import now

from billing.ledger.models import Transaction
from billing.models import ChainCheckpoint, OutboxMessage, ReconciliationRun
from billing.services import reconciliation
from billing.services.reconciliation import runs
from tests.billing.ledger.conftest import OpenAccount, give, hold, open_account, settle

__all__ = ["open_account"]

RECHAIN = """
UPDATE ledger_transaction t SET hash = c.hash FROM (
    SELECT id, ledger_chain(decode(repeat('00', 32), 'hex'), ledger_text(p))
               OVER (PARTITION BY account_id ORDER BY seq) AS hash
      FROM ledger_transaction p) c
 WHERE c.id = t.id;
UPDATE ledger_balance b SET head = t.hash FROM ledger_transaction t WHERE t.account_id = b.account_id AND t.seq = b.seq
"""


@pytest.fixture
def busy(open_account: OpenAccount) -> uuid.UUID:
    """An account with ten transactions, after which all is well."""
    account = open_account(100)
    for number in range(9):
        settle(hold(account, 2, reference=f"job-{number}", model="m"), 1)
    assert broken() == set()
    return account


def broken(everything: bool = True) -> set[str]:
    """The names of the promises that do not hold."""
    return {finding.name for finding in runs.look(everything=everything) if finding.breaches}


def tamper(sql: str, *parameters: uuid.UUID) -> None:
    """What somebody with the database's own rights can do."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, parameters or None)
        cursor.execute("SET LOCAL session_replication_role = origin")


COLUMNS = {
    "id": "gen_random_uuid()",
    "account_id": "gen_random_uuid()",
    "seq": "seq + 100",
    "kind": "'refund'",
    "amount": "amount + 1",
    "balance_after": "balance_after + 1",
    "unit": "'EUR'",
    "description": "description || '.'",
    "charge_id": "gen_random_uuid()",
    "reference": "reference || 'x'",
    "model": "'other'",
    "api_key_id": "gen_random_uuid()",
    "key": "'topup:mine'",
    "details": """'{"note": 1}'""",
    "created_at": "created_at + interval '1 microsecond'",
    "hash": "sha256(hash)",
}


def test_every_column_of_the_history_is_in_this_test() -> None:
    assert set(COLUMNS) == {field.column for field in Transaction._meta.concrete_fields}


@pytest.mark.parametrize("column", COLUMNS)
def test_a_changed_column_of_a_past_row_breaks_the_chain(busy: uuid.UUID, column: str) -> None:
    tamper(
        f"UPDATE ledger_transaction SET {column} = {COLUMNS[column]} WHERE account_id = %s AND seq = 4", busy
    )
    assert "chain_intact" in broken()


def test_the_altered_row_is_named(busy: uuid.UUID) -> None:
    tamper("UPDATE ledger_transaction SET description = 'Free' WHERE seq = 4")
    found = next(finding for finding in runs.look() if finding.name == "chain_intact")
    assert found.examples == (f"{busy} #4",)


def test_a_removed_row_is_found(busy: uuid.UUID) -> None:
    tamper("DELETE FROM ledger_transaction WHERE seq = 4")
    assert {"chain_intact", "history_without_gaps", "history_counted"} <= broken()


def test_a_removed_last_row_is_found(busy: uuid.UUID) -> None:
    tamper("DELETE FROM ledger_transaction WHERE seq = 10")
    assert "balances_match_history" in broken()


def test_a_removed_last_row_with_a_corrected_balance_is_found_by_what_was_verified(busy: uuid.UUID) -> None:
    tamper("DELETE FROM ledger_transaction WHERE seq = 10")
    tamper(
        "UPDATE ledger_balance b SET seq = 9, balance = t.balance_after, head = t.hash"
        " FROM ledger_transaction t WHERE t.seq = 9"
    )
    assert "checkpoints_kept" in broken()


def test_an_inserted_row_is_found(busy: uuid.UUID) -> None:
    tamper(
        "INSERT INTO ledger_transaction (id, account_id, seq, kind, amount, balance_after, unit, description, reference,"
        " model, details, created_at, hash) SELECT gen_random_uuid(), account_id, 11, kind, 0, balance_after, unit,"
        " description, '', '', '{}', created_at, hash FROM ledger_transaction WHERE seq = 10"
    )
    assert {"chain_intact", "balances_match_history"} <= broken()


def test_two_rows_in_another_order_are_found(busy: uuid.UUID) -> None:
    tamper("UPDATE ledger_transaction SET seq = 1000 WHERE seq = 4")
    tamper("UPDATE ledger_transaction SET seq = 4 WHERE seq = 5")
    tamper("UPDATE ledger_transaction SET seq = 5 WHERE seq = 1000")
    assert "chain_intact" in broken()


def test_a_history_written_anew_with_a_valid_chain_differs_from_what_was_verified(busy: uuid.UUID) -> None:
    tamper("UPDATE ledger_transaction SET description = 'Free' WHERE seq = 4")
    tamper(RECHAIN)
    assert "checkpoints_kept" in broken()
    assert "chain_intact" not in broken()


def test_a_changed_posting_is_found(busy: uuid.UUID) -> None:
    tamper("UPDATE ledger_posting SET amount = amount + 1 WHERE line = 1 AND transaction_id = "
           "(SELECT id FROM ledger_transaction WHERE seq = 4)")  # fmt: skip
    assert {"transactions_posted", "transactions_balance", "balances_match_postings"} <= broken()


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("UPDATE ledger_balance SET balance = balance + 1", "balances_match_history"),
        ("UPDATE ledger_balance SET head = sha256(head)", "balances_match_history"),
        ("UPDATE ledger_balance SET held = held + 1", "held_matches_holds"),
        ("UPDATE ledger_balance SET spend_accepted = spend_accepted + 1", "spending_counted"),
        ("UPDATE ledger_grant SET remaining = remaining - 1", "grants_match_balance"),
        ("UPDATE ledger_grantuse SET amount = amount + 1000000000", "grants_used_as_noted"),
        ("UPDATE ledger_charge SET cost = cost + 1", "charges_posted_once"),
        ("UPDATE ledger_charge SET refunded = 1", "refunds_match"),
        ("UPDATE ledger_charge SET uncollected = 1", "charges_within_means"),
        ("UPDATE ledger_charge SET account_id = gen_random_uuid()", "no_strays"),
        ("UPDATE ledger_grant SET expires_at = created_at - interval '1 hour'", "nothing_spent_lapsed"),
        (
            "UPDATE ledger_charge SET status = 'authorized', cost = NULL, finished_at = NULL,"
            " expires_at = now() - interval '2 hours'",
            "holds_in_time",
        ),
        (
            "INSERT INTO ledger_idempotencyrecord (owner, key, request_hash, created_at)"
            " VALUES (gen_random_uuid(), 'k', 'h', now() - interval '2 hours')",
            "requests_answered",
        ),
    ],
)
def test_a_figure_changed_by_hand_is_found(busy: uuid.UUID, sql: str, name: str) -> None:
    tamper(sql)
    assert name in broken()


@pytest.mark.parametrize("credit", [0, 5])
def test_what_had_lapsed_pays_for_no_work_whatever_the_account_may_owe(
    open_account: OpenAccount, credit: int
) -> None:
    account = open_account(100, credit_limit=credit)
    settle(hold(account, 2), 1)
    tamper("UPDATE ledger_grant SET expires_at = created_at + interval '1 microsecond'")
    assert "nothing_spent_lapsed" in broken()


def test_what_is_not_sent_in_time_or_was_given_up_is_found(busy: uuid.UUID) -> None:
    message = OutboxMessage.objects.create(kind="mail", key="late", payload={})
    assert broken() == set()
    OutboxMessage.objects.filter(pk=message.pk).update(next_attempt_at=now() - timedelta(minutes=16))
    assert broken() == {"outbox_sent"}
    OutboxMessage.objects.filter(pk=message.pk).update(next_attempt_at=now(), parked_at=now())
    assert broken() == {"outbox_sent"}


def test_a_look_at_the_new_history_starts_at_the_last_checkpoint(busy: uuid.UUID) -> None:
    assert ChainCheckpoint.objects.get(pk=busy).seq == 10
    tamper("UPDATE ledger_transaction SET key = 'mine' WHERE seq = 4")
    assert broken(everything=False) == set()
    give(busy, 5)
    tamper("UPDATE ledger_transaction SET description = 'Free' WHERE seq = 11")
    assert broken(everything=False) == {"chain_intact"}
    assert broken() == {"chain_intact"}


def test_nothing_is_remembered_as_verified_while_the_history_is_broken(busy: uuid.UUID) -> None:
    give(busy, 5)
    tamper("UPDATE ledger_transaction SET description = 'Free' WHERE seq = 11")
    broken(everything=False)
    assert ChainCheckpoint.objects.get(pk=busy).seq == 10


def test_an_account_without_history_is_in_order(open_account: OpenAccount) -> None:
    open_account()
    assert broken() == set()


def test_the_command_prints_every_promise_and_fails_with_what_to_do(busy: uuid.UUID) -> None:
    out = StringIO()
    call_command("reconcile", stdout=out)
    assert len(out.getvalue().splitlines()) == len(reconciliation.CHECKS)
    tamper("UPDATE ledger_transaction SET description = 'Free' WHERE seq = 4")
    with pytest.raises(CommandError, match="chain_intact"):
        call_command("reconcile", stdout=out)
    assert f"1 found: {busy} #4" in out.getvalue()
    assert "Compare the row with a backup" in out.getvalue()


def test_the_command_answers_as_json(busy: uuid.UUID) -> None:
    out = StringIO()
    call_command("reconcile", "--json", "--new", stdout=out)
    answer = json.loads(out.getvalue())
    assert answer["clean"] is True
    assert {"chain_intact", "held_matches_holds"} <= {check["name"] for check in answer["checks"]}
    assert "history_counted" not in {check["name"] for check in answer["checks"]}


def test_a_look_that_was_asked_for_is_done_once_and_kept(busy: uuid.UUID) -> None:
    tamper("UPDATE ledger_balance SET held = held + 1")
    asked = runs.ask("staff", everything=True)
    assert runs.run_waiting() == 1
    assert runs.run_waiting() == 0
    asked.refresh_from_db()
    assert asked.breaches == 1
    assert asked.finished_at is not None
    assert [f["name"] for f in asked.findings if f["breaches"]] == ["held_matches_holds"]


def test_a_look_whose_worker_died_is_done_again(busy: uuid.UUID) -> None:
    asked = runs.ask("schedule", everything=False)
    ReconciliationRun.objects.filter(pk=asked.pk).update(started_at=now() - timedelta(hours=3))
    assert runs.run_waiting() == 1


def test_a_look_that_is_under_way_is_no_other_worker_s(
    busy: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[int] = []

    def look_while_another_worker_is_free(*, everything: bool) -> list[reconciliation.Finding]:
        others.append(runs.run_waiting())
        return []

    monkeypatch.setattr(runs, "look", look_while_another_worker_is_free)
    runs.record("schedule", everything=True)
    asked = runs.ask("staff", everything=True)
    assert runs.run_waiting() == 1
    assert others == [0, 0]
    asked.refresh_from_db()
    assert asked.finished_at is not None


def test_what_a_worker_finds_that_was_taken_for_dead_does_not_replace_the_other_s(
    busy: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = runs.look
    taken_over: list[bool] = []

    def look_very_long(*, everything: bool) -> list[reconciliation.Finding]:
        if not taken_over:
            taken_over.append(True)
            ReconciliationRun.objects.update(started_at=now() - timedelta(hours=3))
            assert runs.run_waiting() == 1
            tamper("UPDATE ledger_balance SET held = held + 1")
        return look(everything=everything)

    monkeypatch.setattr(runs, "look", look_very_long)
    runs.record("schedule", everything=True)
    assert ReconciliationRun.objects.get().breaches == 0
