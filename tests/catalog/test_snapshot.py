"""The catalog in memory: no database when hot, fresh when something changed, never down by a bad edit."""

import asyncio
import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from catalog import loader, services, snapshot, versions
from catalog.models import CatalogVersion, PriceBook, PriceList, Profile
from catalog.pricing.engine import estimate

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _stored() -> None:
    services.store_profile(loader.read(loader.find("ads")))
    snapshot.refresh()


def test_a_hot_look_needs_no_database(settings: object) -> None:
    settings.CATALOG_POLL_SECONDS = 60  # type: ignore[attr-defined]
    snapshot.refresh()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        state = snapshot.current()
        estimate(state.book("ads", now()), "static", "generate", {})
        assert state.terms("ads").welcome_bonus == 50_000_000
    assert len(queries) == 0


def test_an_event_loop_never_waits_for_the_database() -> None:
    async def priced() -> int:
        return estimate(snapshot.current().book("ads", now()), "static", "generate", {}).micros

    with CaptureQueriesContext(connection) as queries:
        assert asyncio.run(priced()) == 5_000_000
    assert len(queries) == 0


def test_refreshing_without_a_change_keeps_the_very_same_books() -> None:
    before = snapshot.current()
    assert snapshot.refresh() is before


def test_any_change_moves_the_version_and_is_seen() -> None:
    before = CatalogVersion.objects.get().token
    Profile.objects.update(settings={**Profile.objects.get().settings, "welcome_bonus": "7"})
    assert CatalogVersion.objects.get().token != before
    assert snapshot.refresh().terms("ads").welcome_bonus == 7_000_000


def test_a_bad_edit_leaves_the_previous_catalog_in_use() -> None:
    Profile.objects.update(settings={"welcome_bonus": "lots"})
    assert snapshot.refresh().terms("ads").welcome_bonus == 50_000_000


def test_an_old_version_that_an_account_keeps_has_the_gates_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    old = snapshot.current().book("ads", now())
    versions.publish(versions.new_draft(PriceList.objects.get(profile="ads")))
    monkeypatch.setattr(snapshot, "LONGEST_HOLD", timedelta(0))
    gates = {"balance_gates": [{"available": "9"}]}
    Profile.objects.update(settings={**Profile.objects.get().settings, **gates})
    state = snapshot.refresh()
    assert state.book("ads", now()).id != old.id
    kept = state.book_by_id(old.id)
    assert estimate(kept, "static", "generate", {}).gate.needs_available == 9_000_000
    Profile.objects.update(name="Adverts")
    assert snapshot.refresh().book_by_id(old.id) is kept, "compiled again only where gates moved"


def test_unknown_profiles_and_books_have_names() -> None:
    with pytest.raises(snapshot.UnknownProfile, match="no profile 'moon'"):
        snapshot.current().terms("moon")
    with pytest.raises(PriceBook.DoesNotExist):
        snapshot.current().book_by_id(uuid4())


@pytest.mark.django_db(transaction=True)
def test_threads_share_one_load() -> None:
    Profile.objects.update(name="Adverts")
    found: list[snapshot.Snapshot] = []
    barrier = threading.Barrier(8)

    def look() -> None:
        barrier.wait()
        found.append(snapshot.current())
        connection.close()

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(state) for state in found}) == 1
    assert found[0].terms("ads").name == "Adverts"


@pytest.mark.django_db(transaction=True)
def test_listeners_are_told_of_every_committed_change() -> None:
    import psycopg

    with psycopg.connect(
        **connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}, autocommit=True
    ) as listener:
        listener.execute(f"LISTEN {snapshot.CHANNEL}")
        Profile.objects.update(name="Adverts")
        told = list(listener.notifies(timeout=5, stop_after=1))
    assert [note.channel for note in told] == [snapshot.CHANNEL]
