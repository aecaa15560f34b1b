"""Bundled price lists for tests, quickly: read and stored by `load_profile` once a run, put back row by row after.

Thousands of tests begin with a profile, and a rollback takes it away again. What is put back is what the command stored;
a profile that is there in any form is left to the command. The same rows have the same version token, so what the
portal read from them the first time (``catalog.snapshot``) is good for all later tests.
"""

import io
import uuid
from dataclasses import replace

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
EMPTY = uuid.UUID(int=0)

Rows = dict[str, str]
"""The rows of a profile by table, as JSON."""

_kept: dict[tuple[str, bool, bool], Rows] = {}
_reproducible: set[uuid.UUID] = set()
_read: dict[uuid.UUID, snapshot.Snapshot] = {}


def load(*names: str, default: str = "") -> None:
    """Have the bundled profiles ``names`` in the database, and ``default`` as well, which accounts then open with."""
    for name in (*([default] if default else []), *names):
        _load(name, default=name == default)
    _read_once()


def _load(name: str, *, default: bool) -> None:
    there = dict(Profile.objects.values_list("slug", "is_default"))
    key = (name, default, any(there.values()))
    if name not in there and not (default and key[2]) and key in _kept:
        _put_back(key)
        return
    call_command("load_profile", name, *(["--default"] if default else []), verbosity=0, stdout=io.StringIO())
    if name not in there:
        _kept[key] = _take_down(name)


def _take_down(name: str) -> Rows:
    rows: Rows = {}
    with connection.cursor() as cursor:
        for model, where in OF_PROFILE.items():
            table = model._meta.db_table
            cursor.execute(f"SELECT coalesce(json_agg(t), '[]')::text FROM {table} t WHERE {where}", [name])
            rows[table] = str(cursor.fetchone()[0])
    return rows


def _put_back(key: tuple[str, bool, bool]) -> None:
    """Past the triggers, which let nobody write a published version; the new token says what is there by now."""
    token = uuid.uuid5(_token() or EMPTY, repr(key))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table, rows in _kept[key].items():
            cursor.execute(
                f"INSERT INTO {table} SELECT * FROM json_populate_recordset(null::{table}, %s)", [rows]
            )
        cursor.execute(
            f"INSERT INTO {CatalogVersion._meta.db_table} (id, token) VALUES (1, %s)"
            " ON CONFLICT (id) DO UPDATE SET token = excluded.token",
            [token],
        )
        cursor.execute("SET LOCAL session_replication_role = origin")
    _reproducible.add(token)


def _read_once() -> None:
    """What the portal made of the same rows before is what it would make of them again."""
    token = _token()
    if token in _read:
        snapshot._current = replace(_read[token], _books=dict(_read[token]._books))
    elif token in _reproducible:
        snapshot._current = None
        _read[token] = snapshot.refresh()
    snapshot.expire()


def _token() -> uuid.UUID | None:
    return CatalogVersion.objects.filter(pk=1).values_list("token", flat=True).first()
