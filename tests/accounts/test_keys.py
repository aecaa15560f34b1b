"""Keys in the database: made, counted against slots, verified, rotated, revoked, announced."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import time_machine
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from accounts import keys
from accounts.errors import KeyNotUsable, NoFreeSlot
from accounts.models import ApiKey, BillingAccount

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_created_key_opens_its_account(account: BillingAccount) -> None:
    key, text = keys.create_key(account=account, name="Production")
    found = keys.verify(text)
    assert found == key
    assert found is not None
    assert found.account == account
    assert text.startswith(key.prefix)
    assert text.endswith(key.last4)


def test_only_the_digest_of_a_key_is_in_its_row(account: BillingAccount) -> None:
    _, text = keys.create_key(account=account, name="Production")
    with connection.cursor() as cursor:
        cursor.execute("select row_to_json(k)::text from accounts_apikey k")
        stored = cursor.fetchone()[0]
    assert text not in stored
    assert text[11:38] not in stored
    assert keys.digest(text).hex() in stored


def test_a_mistyped_key_is_refused_without_a_query(
    account: BillingAccount, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, text = keys.create_key(account=account, name="Production")
    mistyped = text[:-7] + ("a" if text[-7] != "a" else "b") + text[-6:]
    with django_assert_num_queries(0):
        assert keys.verify(mistyped) is None
        assert keys.verify("not a key") is None


@pytest.mark.django_db
def test_a_well_formed_unknown_key_is_refused() -> None:
    assert keys.verify(keys.generate("customer")) is None


@pytest.mark.django_db
def test_a_service_key_has_no_account() -> None:
    key, text = keys.create_service_key("studio")
    assert text.startswith("bps_")
    assert keys.verify(text) == key
    assert key.account is None


def test_a_revoked_key_opens_nothing_and_keeps_its_first_moment(account: BillingAccount) -> None:
    key, text = keys.create_key(account=account, name="Production")
    with time_machine.travel(NOON, tick=False):
        keys.revoke(key)
    keys.revoke(key)
    assert key.revoked_at == NOON
    assert keys.verify(text) is None


def test_a_closed_account_s_key_opens_nothing(account: BillingAccount) -> None:
    _, text = keys.create_key(account=account, name="Production")
    BillingAccount.objects.update(status=BillingAccount.Status.CLOSED)
    assert keys.verify(text) is None


# --- slots


def test_slots_full_names_the_keys_to_revoke(account: BillingAccount) -> None:
    keys.create_key(account=account, name="First", slots=2)
    keys.create_key(account=account, name="Second", slots=2)
    with pytest.raises(NoFreeSlot) as refused:
        keys.create_key(account=account, name="Third", slots=2)
    assert refused.value.names == ["First", "Second"]
    assert "“First”, “Second”" in str(refused.value)
    assert ApiKey.objects.count() == 2


def test_a_revoked_key_frees_its_slot(account: BillingAccount) -> None:
    key, _ = keys.create_key(account=account, name="First", slots=1)
    keys.revoke(key)
    keys.create_key(account=account, name="Second", slots=1)


def test_no_slots_at_all_is_a_refusal(account: BillingAccount) -> None:
    with pytest.raises(NoFreeSlot, match="no API keys"):
        keys.create_key(account=account, name="First", slots=0)


def test_slots_of_other_accounts_do_not_count(
    account: BillingAccount, make_account: Callable[..., BillingAccount]
) -> None:
    keys.create_key(account=make_account(), name="Theirs", slots=1)
    keys.create_key(account=account, name="Ours", slots=1)


@pytest.mark.django_db(transaction=True)
def test_parallel_creations_never_pass_the_slots(account: BillingAccount) -> None:
    start, outcomes = threading.Barrier(8), []

    def create() -> None:
        start.wait()
        try:
            keys.create_key(account=account, name="Racing", slots=3)
            outcomes.append("made")
        except NoFreeSlot:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made"] * 3 + ["refused"] * 5
    assert ApiKey.objects.count() == 3


# --- rotation


def test_both_keys_work_for_24_hours_after_rotation(account: BillingAccount) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        old, old_text = keys.create_key(account=account, name="Production")
        new, new_text = keys.rotate(old)
        clock.shift(timedelta(hours=24) - timedelta(microseconds=1))
        assert keys.verify(old_text) == old
        clock.shift(timedelta(microseconds=1))
        assert keys.verify(old_text) is None
        assert keys.verify(new_text) == new
    assert new.name == "Production"
    assert new.replaces == old


def test_all_keys_of_a_rotation_are_limited_as_the_first_one(account: BillingAccount) -> None:
    first, _ = keys.create_key(account=account, name="Production")
    second, _ = keys.rotate(first)
    third, _ = keys.rotate(second)
    other, _ = keys.create_key(account=account, name="Staging")
    assert [key.limit_id for key in (first, second, third)] == [first.pk] * 3
    assert other.limit_id == other.pk


def test_rotation_needs_no_free_slot(account: BillingAccount) -> None:
    old, _ = keys.create_key(account=account, name="Production", slots=1)
    new, _ = keys.rotate(old)
    assert keys.in_slots(account) == [new]


def test_rotating_the_successor_ends_the_first_key_at_once(account: BillingAccount) -> None:
    first, first_text = keys.create_key(account=account, name="Production")
    second, second_text = keys.rotate(first)
    _, third_text = keys.rotate(second)
    assert keys.verify(first_text) is None
    assert keys.verify(second_text) is not None
    assert keys.verify(third_text) is not None


def test_a_key_already_replaced_or_revoked_is_not_rotated(account: BillingAccount) -> None:
    old, _ = keys.create_key(account=account, name="Production")
    new, _ = keys.rotate(old)
    with pytest.raises(KeyNotUsable):
        keys.rotate(old)
    keys.revoke(new)
    with pytest.raises(KeyNotUsable):
        keys.rotate(new)
    assert ApiKey.objects.count() == 2


# --- last use


@pytest.mark.django_db(transaction=True)
def test_use_is_noted_at_most_once_a_minute(account: BillingAccount) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        key, text = keys.create_key(account=account, name="Production")
        keys.verify(text)
        clock.shift(timedelta(seconds=59))
        keys.verify(text)
        key.refresh_from_db()
        assert key.last_used_at == NOON
        clock.shift(timedelta(seconds=1))
        keys.verify(text)
        key.refresh_from_db()
        assert key.last_used_at == NOON + timedelta(minutes=1)


@pytest.mark.django_db(transaction=True)
def test_recording_the_use_of_many_keys_is_one_query(
    account: BillingAccount, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    made = [keys.create_key(account=account, name=str(n))[0].pk for n in range(5)]
    with django_assert_num_queries(1):
        assert keys.record_use(made) == 5
    assert keys.record_use(made) == 0


# --- NOTIFY


@pytest.fixture
def heard(account: BillingAccount) -> Callable[[], list[str]]:
    settings = connection.get_connection_params()
    listener = psycopg.connect(
        host=settings["host"], user=settings["user"], dbname=settings["dbname"], autocommit=True
    )
    listener.execute("LISTEN portal_keys")
    return lambda: [notice.payload for notice in listener.notifies(timeout=0.2)]


@pytest.mark.django_db(transaction=True)
def test_revoking_and_rotating_are_announced_and_use_is_not(
    account: BillingAccount, heard: Callable[[], list[str]]
) -> None:
    key, text = keys.create_key(account=account, name="Production")
    keys.verify(text)
    assert heard() == []
    keys.rotate(key)
    assert heard() == [key.pk.hex]
    keys.revoke(key)
    assert heard() == [key.pk.hex]


@pytest.mark.django_db(transaction=True)
def test_a_changed_account_is_announced(account: BillingAccount, heard: Callable[[], list[str]]) -> None:
    account.plan = "pro"
    account.save()
    assert heard() == [account.pk.hex]
