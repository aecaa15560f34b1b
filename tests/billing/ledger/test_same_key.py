"""One Idempotency-Key at the same moment for two accounts: one effect, and the other hears of a conflict."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from billing.ledger.holds import place
from billing.ledger.models import Charge
from tests.billing.ledger.conftest import OpenAccount, standing, wanted

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_second_of_two_at_once_hears_of_the_first(open_account: OpenAccount) -> None:
    first, second, owner = open_account(10), open_account(10), uuid.uuid4()
    placed = threading.Event()

    def ask_second() -> str:
        try:
            placed.wait(10)
            return str(place([wanted(second, 4, owner=owner, idem="k", hash="b")])[0]["code"])
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask_second)
        with transaction.atomic():
            assert place([wanted(first, 4, owner=owner, idem="k", hash="a")])[0]["code"] == "authorized"
            placed.set()
            _until_somebody_waits()
        assert answer.result(10) == "idempotency_conflict"
    assert Charge.objects.count() == 1
    assert standing(second) == (10, 0, 10)


def _until_somebody_waits() -> None:
    """The other connection stands before the record that is not committed yet."""
    with connection.cursor() as cursor:
        for _ in range(1000):
            cursor.execute(
                "SELECT pg_sleep(0.01), count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
            )
            if cursor.fetchone()[1]:
                return
    raise AssertionError("the second request never waited")
