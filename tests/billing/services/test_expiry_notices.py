"""Before credits expire their owners hear of it: 30, 7 and 1 days ahead, once each per date."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from pytest_django import Settings

from accounts.models import BillingAccount
from billing import outbox
from billing.ledger import grants
from billing.ledger.models import Grant
from billing.models import Notice
from billing.services import expiry_notices
from tests.billing.ledger.conftest import at
from tests.billing.paying import CREDIT, spend

DAY = datetime(2027, 6, 15, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def give(account: BillingAccount, credits: int, *, until: datetime = DAY, source: str = "topup") -> None:
    grants.add(
        account_id=account.pk,
        micros=credits * CREDIT,
        source=source,
        kind="topup",
        description="Given",
        key=f"test:{Grant.objects.count()}",
        expires_at=until,
    )


def sweep_at(moment: datetime) -> list[str]:
    """The days that have been said once the sweep ran twice at this moment."""
    at(moment)
    expiry_notices.sweep()
    expiry_notices.sweep()
    return [
        subject.partition(":")[2]
        for subject in Notice.objects.order_by("id").values_list("subject", flat=True)
    ]


def test_thirty_seven_and_one_days_ahead_once_each(account: BillingAccount) -> None:
    give(account, 7)
    told = [
        sweep_at(DAY - timedelta(days=days) + offset)
        for days in (30, 7, 1)
        for offset in (-MICROSECOND, timedelta(0), timedelta(hours=5))
    ]
    assert told[:3] == [[], ["30"], ["30"]]
    assert told[3:6] == [["30"], ["30", "7"], ["30", "7"]]
    assert told[6:] == [["30", "7"], ["30", "7", "1"], ["30", "7", "1"]]
    assert sweep_at(DAY) == ["30", "7", "1"]


def test_the_mail_names_amount_and_day(account: BillingAccount) -> None:
    give(account, 7)
    give(account, 5, until=DAY + timedelta(hours=1))
    sweep_at(DAY - timedelta(days=6))
    outbox.relay()
    assert [message.subject for message in mail.outbox] == ["12 credits of Northwind expire on 15 June 2027"]
    assert "can be used until 15 June 2027 (UTC)" in mail.outbox[0].body
    assert [notice.facts["days"] for notice in Notice.objects.all()] == [7]


def test_what_is_spent_or_moved_is_not_told(account: BillingAccount) -> None:
    give(account, 7)
    spend(account, 7)
    assert sweep_at(DAY - timedelta(days=3)) == []
    give(account, 7)
    grants.extend_all(account.pk, DAY + timedelta(days=365))
    assert sweep_at(DAY - timedelta(days=3)) == []


def test_another_date_is_told_anew(account: BillingAccount) -> None:
    give(account, 7)
    assert sweep_at(DAY - timedelta(days=30)) == ["30"]
    grants.extend_all(account.pk, DAY + timedelta(days=365))
    assert sweep_at(DAY - timedelta(days=1)) == ["30"]
    assert sweep_at(DAY + timedelta(days=335)) == ["30", "30"]


def test_plan_credits_go_without_a_word(account: BillingAccount) -> None:
    give(account, 7, source="plan")
    assert sweep_at(DAY - timedelta(days=1)) == []


def test_the_days_are_a_setting(account: BillingAccount, settings: Settings) -> None:
    give(account, 7)
    settings.EXPIRY_NOTICE_DAYS = []
    assert sweep_at(DAY - timedelta(days=2)) == []
    settings.EXPIRY_NOTICE_DAYS = [14, 3]
    assert sweep_at(DAY - timedelta(days=2)) == ["3"]


@pytest.mark.parametrize("status", ["closed"])
def test_a_closed_account_is_left_alone(account: BillingAccount, status: str) -> None:
    give(account, 7)
    BillingAccount.objects.filter(pk=account.pk).update(status=status)
    assert sweep_at(DAY - timedelta(days=2)) == []
