"""Bundled price lists for tests, quickly: read and stored by `load_profile` once a run, put back row by row after.

Thousands of tests begin with a profile, and a rollback takes it away again. What is put back is what the command stored,
only moved on in time; a profile that is there in any form is left to the command.
"""

import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction

from catalog import snapshot
from catalog.models import AIModel, CatalogVersion, Operation, Plan, Price, PriceBook, PriceList, Profile

OF_PROFILE = {
    Profile: "slug = %s",
    Plan: "profile_id = %s",
    AIModel: "profile_id = %s",
    Operation: "profile_id = %s",
    PriceList: "profile_id = %s",
    PriceBook: "price_list_id IN (SELECT id FROM catalog_pricelist WHERE profile_id = %s)",
    Price: "book_id IN (SELECT b.id FROM catalog_pricebook b JOIN catalog_pricelist l ON l.id = b.price_list_id"
    " WHERE l.profile_id = %s)",
}
TIMES = ("effective_at", "created_at", "published_at")


@dataclass(frozen=True)
class Kept:
    """The rows of a profile by table, as JSON, and when they were stored."""

    rows: dict[str, str]
    stored_at: datetime


_kept: dict[tuple[str, bool, bool], Kept] = {}


def load(*names: str, default: str = "") -> None:
    """Have the bundled profiles ``names`` in the database, and ``default`` as well, which accounts then open with."""
    for name in (*([default] if default else []), *names):
        _load(name, default=name == default)
    snapshot.expire()


def _load(name: str, *, default: bool) -> None:
    there = dict(Profile.objects.values_list("slug", "is_default"))
    key = (name, default, any(there.values()))
    if name not in there and not (default and key[2]) and key in _kept:
        _put_back(_kept[key])
        return
    call_command("load_profile", name, *(["--default"] if default else []), verbosity=0, stdout=io.StringIO())
    if name not in there:
        _kept[key] = _take_down(name)


def _take_down(name: str) -> Kept:
    rows: dict[str, str] = {}
    with connection.cursor() as cursor:
        for model, where in OF_PROFILE.items():
            table = model._meta.db_table
            cursor.execute(f"SELECT coalesce(json_agg(t), '[]')::text FROM {table} t WHERE {where}", [name])
            rows[table] = str(_first(cursor))
        cursor.execute("SELECT clock_timestamp()")
        return Kept(rows, _first(cursor))


def _put_back(kept: Kept) -> None:
    """Past the triggers, which let nobody write a published version; whoever looks for another token finds one."""
    moved = ", ".join(f"{name} = {name} + (clock_timestamp() - %(then)s)" for name in TIMES)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table, rows in kept.rows.items():
            cursor.execute(
                f"INSERT INTO {table} SELECT * FROM json_populate_recordset(null::{table}, %s)",
                [rows],
            )
        cursor.execute(
            f"UPDATE catalog_pricebook SET {moved} WHERE id IN"
            " (SELECT id FROM json_populate_recordset(null::catalog_pricebook, %(books)s))",
            {"then": kept.stored_at, "books": kept.rows["catalog_pricebook"]},
        )
        cursor.execute(
            f"INSERT INTO {CatalogVersion._meta.db_table} (id, token) VALUES (1, gen_random_uuid())"
            " ON CONFLICT (id) DO UPDATE SET token = excluded.token"
        )
        cursor.execute("SET LOCAL session_replication_role = origin")


def _first(cursor: Any) -> Any:
    row = cursor.fetchone()
    return row[0]
