"""Several workers close the same months, and accounts change how they pay meanwhile: one invoice each, no gap."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from django.db import close_old_connections, connection

from accounts.models import BillingAccount
from billing.ledger.holds import place
from billing.ledger.models import Balance
from billing.models import Invoice
from billing.services import invoicing, modes, reconciliation
from billing.services.modes import Asked
from tests.billing.ledger.conftest import CREDIT, wanted
from tests.billing.services.plans import AGES, account, load

pytestmark = [pytest.mark.django_db(transaction=True)]

FEBRUARY, MARCH = datetime(2027, 2, 10, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)
ACCOUNTS = 6


def at(moment: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('ledger.now', %s, false)", [moment.isoformat()])


@pytest.fixture
def metered() -> Iterator[list[BillingAccount]]:
    load()
    at(FEBRUARY)
    made = [account("toon", mode="metered") for _ in range(ACCOUNTS)]
    for one in made:
        place([wanted(one.pk, 12, settle_now=True)])
    at(MARCH)
    yield made
    found = {finding.name: finding.examples for finding in reconciliation.run() if finding.breaches}
    assert not {name: examples for name, examples in found.items() if name not in AGES}
    connection.close()


def at_once(*acts: Callable[[], object]) -> list[BaseException]:
    """Run the acts together, each on a connection of its own; what they raised."""
    barrier, raised = threading.Barrier(len(acts)), []

    def run(act: Callable[[], object]) -> None:
        try:
            at(MARCH)
            barrier.wait()
            act()
        except BaseException as error:
            raised.append(error)
        finally:
            connection.close()
            close_old_connections()

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_four_workers_close_a_month_once(metered: list[BillingAccount]) -> None:
    assert at_once(*[invoicing.close_due] * 4) == []
    bills = Invoice.objects.order_by("number")
    assert [bill.number for bill in bills] == list(range(1, ACCOUNTS + 1))
    assert {bill.account_id for bill in bills} == {one.pk for one in metered}
    assert {bill.total for bill in bills} == {12 * CREDIT}
    assert set(Balance.objects.values_list("balance", flat=True)) == {0}


@pytest.mark.slow
def test_the_work_is_invoiced_once_whether_the_month_or_the_mode_comes_first(
    metered: list[BillingAccount],
) -> None:
    def switch() -> None:
        for one in metered:
            modes.switch(one.pk, Asked(mode="subscription"))

    assert at_once(invoicing.close_due, switch, invoicing.close_due) == []
    assert [bill.total for bill in Invoice.objects.all()] == [12 * CREDIT] * ACCOUNTS
    assert {one.mode for one in BillingAccount.objects.all()} == {"subscription"}
