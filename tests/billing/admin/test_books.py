"""Staff look at the books: what was found, what to do, and once more now."""

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.models import User
from billing.models import ReconciliationRun
from billing.services import signing
from billing.services.reconciliation import runs
from tests.billing.ledger.conftest import OpenAccount, open_account

__all__ = ["open_account"]

LIST = "admin:billing_reconciliationrun_changelist"
LOOK = "admin:billing_reconciliationrun_look_now"


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "x"))
    return client


def test_the_list_says_what_was_found(staff: Client, open_account: OpenAccount) -> None:
    open_account(10)
    runs.record("schedule", everything=True)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_balance SET held = 1")
    runs.record("schedule", everything=False)
    page = staff.get(reverse(LIST)).content.decode()
    assert page.count("In order") >= 1
    assert page.count("Broken") >= 1


def test_a_broken_promise_comes_with_its_examples_and_what_to_do(
    staff: Client, open_account: OpenAccount
) -> None:
    account = open_account(10)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_balance SET held = 1")
    look = runs.record("schedule", everything=True)
    page = staff.get(reverse("admin:billing_reconciliationrun_change", args=[look.pk])).content.decode()
    assert page.index("What is held is the sum of the open holds.") < page.index("add up to zero")
    assert str(account) in page
    assert "The history is the truth" in page


def test_looking_now_asks_the_worker_once_per_press_and_never_by_a_link(staff: Client) -> None:
    assert staff.get(reverse(LOOK)).status_code == 200
    assert ReconciliationRun.objects.count() == 0
    assert staff.post(reverse(LOOK), {"everything": "yes"}).status_code == 302
    asked = ReconciliationRun.objects.get()
    assert (asked.asked, asked.everything, asked.finished_at) == ("staff", True, None)
    assert "Waiting" in staff.get(reverse(LIST)).content.decode()
    runs.run_waiting()
    asked.refresh_from_db()
    assert asked.finished_at is not None


def test_a_look_at_nothing_named_is_refused(staff: Client) -> None:
    assert staff.post(reverse(LOOK), {"everything": "maybe"}).status_code == 422
    assert ReconciliationRun.objects.count() == 0


def test_staff_without_the_right_cannot_ask(client: Client, db: None) -> None:
    client.force_login(User.objects.create_user("look@example.com", "x", is_staff=True))
    assert client.post(reverse(LOOK), {"everything": "yes"}).status_code in (302, 403)
    assert ReconciliationRun.objects.count() == 0


@pytest.mark.parametrize("name", ["statement", "signingkey", "reconciliationrun"])
def test_nothing_of_it_can_be_edited(staff: Client, name: str, open_account: OpenAccount) -> None:
    open_account(10)
    signing.current()
    assert staff.get(reverse(f"admin:billing_{name}_changelist")).status_code == 200
    assert staff.get(reverse(f"admin:billing_{name}_add")).status_code == 403
