"""The guards that make the races harmless, and how each is dropped for its control."""

import uuid
from typing import Any

from django.db.models import QuerySet

from billing.ledger import grants, refunds
from soak.races.race import Guard

_UNLOCK = """
DO $$
DECLARE lock record;
BEGIN
    FOR lock IN SELECT pg_get_functiondef(oid) AS body FROM pg_proc WHERE proname = 'ledger_lock' LOOP
        EXECUTE regexp_replace(lock.body, 'FOR NO KEY UPDATE|FOR UPDATE', '', 'g');
    END LOOP;
END $$
"""
_SLOW_BALANCES = """
CREATE FUNCTION soak_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.002); RETURN NULL; END $$;
CREATE TRIGGER soak_slow BEFORE UPDATE ON ledger_balance FOR EACH STATEMENT EXECUTE FUNCTION soak_slow()
"""


def no_row_locks() -> None:
    """``select_for_update`` locks nothing, nor does the note of the next expiry, which writes to the balance row."""

    def unlocked(self: QuerySet[Any], **options: Any) -> QuerySet[Any]:
        return self.all()

    def unwritten(account_id: uuid.UUID) -> None:
        """Writes nothing."""

    QuerySet.select_for_update = unlocked  # type: ignore[method-assign, assignment]
    for module in (grants, refunds):
        module.note_next_expiry = unwritten  # type: ignore[attr-defined]


ROW_LOCK = Guard(
    "the lock of the balance row, and the constraint behind it",
    sql=(
        _UNLOCK,
        "ALTER TABLE ledger_balance DROP CONSTRAINT balance_covers_holds",
        "ALTER TABLE ledger_balance DROP CONSTRAINT balance_held_not_negative",
        _SLOW_BALANCES,
    ),
    patch=no_row_locks,
)
WITHDRAWAL = Guard(
    "the lock of the balance row, also the one that looking for lapsed credits takes",
    sql=(
        *ROW_LOCK.sql,
        "CREATE OR REPLACE FUNCTION ledger_expire(account uuid, moment timestamptz) RETURNS bigint"
        " LANGUAGE sql AS 'SELECT 0::bigint'",
    ),
    patch=no_row_locks,
)
BUSINESS_KEY = Guard(
    "the lock of the balance row, and the unique business key",
    sql=(_UNLOCK, "DROP INDEX transaction_key_unique", _SLOW_BALANCES),
    patch=no_row_locks,
)
IDEMPOTENCY = Guard(
    "the unique Idempotency-Key",
    sql=(
        "ALTER TABLE ledger_idempotencyrecord DROP CONSTRAINT ledger_idempotencyrecord_pkey CASCADE",
        _UNLOCK,
    ),
    patch=no_row_locks,
)


def unique(table: str, name: str) -> str:
    """Drops a unique index or constraint, whichever it is."""
    return f"""
    DO $$ BEGIN
        IF EXISTS (SELECT 1 FROM pg_constraint WHERE conname = '{name}') THEN
            ALTER TABLE {table} DROP CONSTRAINT {name};
        ELSE
            DROP INDEX {name};
        END IF;
    END $$
    """  # noqa: S608 - our own names
