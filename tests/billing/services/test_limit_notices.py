"""A month's limit: 50, 80 and 100 % are said once each, and that a limit stopped a request; alert-only stops nothing."""

from datetime import UTC, datetime

import pytest
from django.core import mail

from accounts.models import BillingAccount, Membership, Role, User
from accounts.notices import choose
from billing import outbox, tasks
from billing.errors import InvalidRequest
from billing.ledger import balances, holds
from billing.models import Notice, SpendingLimit
from billing.services import limit_notices, limits, notices
from billing.services.accounts import open_account
from catalog import snapshot
from tests import price_lists
from tests.billing.ledger.conftest import at
from tests.billing.paying import CREDIT, spend


@pytest.fixture
def team(account: BillingAccount) -> BillingAccount:
    """The account with an owner, a billing member and a developer."""
    for role in (Role.OWNER, Role.BILLING, Role.DEVELOPER):
        user = User.objects.create_user(f"{role}@northwind.example", "correct horse battery")
        Membership.objects.create(account=account, user=user, role=role)
    return account


def said(account: BillingAccount, kind: str = Notice.Kind.LIMIT_THRESHOLD) -> list[str]:
    """The subjects of the notices that stand and were written to somebody."""
    rows = Notice.objects.filter(account=account, kind=kind, ended_at=None).exclude(recipients=[])
    return [row.subject.rpartition(":")[2] for row in rows.order_by("id")]


def hold(account: BillingAccount, credits: int) -> holds.Outcome:
    request = holds.PlaceRequest(
        account=account.pk,
        amount=credits * CREDIT,
        model="static",
        operation="generate",
        description="Work",
        ttl=600,
    )
    return holds.place([request])[0]


@pytest.mark.parametrize("mode", ["hard", "alert"])
def test_each_level_is_said_once(team: BillingAccount, mode: str) -> None:
    limits.set_spending_limit(team.pk, 20 * CREDIT, mode=mode)
    seen = []
    for amount in (9, 1, 5, 1, 3, 1):
        spend(team, amount)
        limit_notices.sweep()
        limit_notices.sweep()
        seen.append(said(team))
    assert seen == [[], ["50"], ["50"], ["50", "80"], ["50", "80"], ["50", "80", "100"]]


def test_owners_and_billing_members_are_written_to_once(team: BillingAccount) -> None:
    limits.set_spending_limit(team.pk, 20 * CREDIT)
    spend(team, 10)
    tasks.sweep_notices()
    tasks.sweep_notices()
    outbox.relay()
    outbox.relay()
    assert sorted(message.to[0] for message in mail.outbox) == [
        "billing@northwind.example",
        "owner@northwind.example",
    ]
    message = mail.outbox[0]
    assert message.subject == "50% of Northwind’s monthly limit is used"
    assert "10\xa0credits of 20\xa0credits are spent this month" in message.body
    assert "requests that cost something are refused until" in message.body
    assert "/settings#notices" in message.body


def test_who_chose_otherwise_is_heeded(team: BillingAccount) -> None:
    members = {member.role: member for member in team.memberships.all()}
    choose(team, members["owner"], "limits", wanted=False)
    choose(team, members["developer"], "limits", wanted=True)
    choose(team, None, "limits", wanted=True)
    limits.set_spending_limit(team.pk, 20 * CREDIT)
    spend(team, 10)
    limit_notices.sweep()
    assert set(Notice.objects.get().recipients) == {
        "billing@northwind.example",
        "developer@northwind.example",
        "pay@northwind.example",
    }


def test_an_account_without_a_team_is_written_to_at_its_own_address(account: BillingAccount) -> None:
    limits.set_spending_limit(account.pk, 20 * CREDIT)
    spend(account, 10)
    limit_notices.sweep()
    assert Notice.objects.get().recipients == ["pay@northwind.example"]


def test_several_levels_at_once_are_one_mail_and_all_stand(team: BillingAccount) -> None:
    limits.set_spending_limit(team.pk, 20 * CREDIT)
    spend(team, 17)
    limit_notices.sweep()
    assert said(team) == ["80"]
    assert set(notices.standing(team, Notice.Kind.LIMIT_THRESHOLD)) == {
        f"{datetime.now(UTC):%Y-%m}:50",
        f"{datetime.now(UTC):%Y-%m}:80",
    }


def test_a_void_that_brings_the_month_back_re_arms_nothing(team: BillingAccount) -> None:
    limits.set_spending_limit(team.pk, 20 * CREDIT)
    placed = hold(team, 10)
    limit_notices.sweep()
    holds.finish([holds.FinishRequest(id=placed["id"], action="void")])
    limit_notices.sweep()
    hold(team, 10)
    limit_notices.sweep()
    assert Notice.objects.count() == 1


def test_raising_re_arms_the_levels_the_month_is_not_up_to_any_more(team: BillingAccount) -> None:
    limits.set_spending_limit(team.pk, 20 * CREDIT)
    spend(team, 17)
    limit_notices.sweep()
    limits.set_spending_limit(team.pk, 30 * CREDIT)  # 17 of 30: still past half, not past 80 %
    limit_notices.sweep()
    assert said(team) == []
    assert Notice.objects.filter(ended_at=None).get().subject.endswith(":50")
    spend(team, 7)
    limit_notices.sweep()
    assert said(team) == ["80"]
    limits.set_spending_limit(team.pk, 30 * CREDIT)  # the same again arms nothing
    limit_notices.sweep()
    assert Notice.objects.exclude(recipients=[]).count() == 2


def test_the_next_month_starts_anew(team: BillingAccount) -> None:
    limits.set_spending_limit(team.pk, 20 * CREDIT)
    at(datetime(2027, 1, 31, 23, 59, 59, 999999, tzinfo=UTC))
    spend(team, 10)
    limit_notices.sweep()
    at(datetime(2027, 2, 1, tzinfo=UTC))
    limit_notices.sweep()
    assert said(team) == ["50"]
    spend(team, 10)
    limit_notices.sweep()
    assert list(Notice.objects.order_by("id").values_list("subject", flat=True)) == [
        "2027-01:50",
        "2027-02:50",
    ]
    assert Notice.objects.latest("id").facts["resets"] == "2027-03-01"


def test_a_limit_that_only_alerts_refuses_nothing(team: BillingAccount) -> None:
    limits.set_spending_limit(team.pk, 5 * CREDIT, mode="alert")
    spend(team, 15)
    assert balances.of(team.pk).spend_limit is None
    limit_notices.sweep()
    outbox.relay()
    assert said(team) == ["100"]
    assert "This limit only alerts: requests go on as before." in mail.outbox[0].body


def test_the_largest_amounts_do_not_overflow(team: BillingAccount) -> None:
    limits.set_spending_limit(team.pk, 9_000_000_000_000_000_000, mode="alert")
    spend(team, 10)
    assert limit_notices.sweep() == 0


def test_a_limit_of_nothing_has_no_levels(team: BillingAccount) -> None:
    limits.set_spending_limit(team.pk, 0)
    assert limit_notices.sweep() == 0


def test_a_request_that_a_limit_stopped_is_said_once_until_it_is_raised(team: BillingAccount) -> None:
    limits.set_spending_limit(team.pk, 12 * CREDIT)
    spend(team, 9)
    refused = hold(team, 5)
    assert refused["code"] == "spending_limit_reached"
    assert limit_notices.concerns(refused)
    assert [limit_notices.stopped(team.pk, 5 * CREDIT) for _ in range(2)] == [True, False]
    outbox.relay()
    assert (
        "A request for 5\xa0credits was refused: 9\xa0credits of 12\xa0credits are spent"
        in mail.outbox[0].body
    )
    assert "3\xa0credits of it are left" in mail.outbox[0].body
    limits.set_spending_limit(team.pk, 14 * CREDIT)
    assert not limit_notices.stopped(team.pk, 5 * CREDIT), "it fits by now"
    assert limit_notices.stopped(team.pk, 6 * CREDIT)


@pytest.mark.parametrize(
    ("before", "amount", "news"), [(9, 1, True), (8, 1, False), (10, 5, False), (10, 6, True)]
)
def test_the_request_that_passes_a_level_is_known_at_once(
    team: BillingAccount, before: int, amount: int, news: bool
) -> None:
    limits.set_spending_limit(team.pk, 20 * CREDIT)
    spend(team, before)
    assert limit_notices.concerns(hold(team, amount)) is news


def test_pay_per_use_cannot_only_be_alerted(ads: None) -> None:
    price_lists.load("toon")
    snapshot.refresh()
    account = open_account(name="Inkwell", email="pay@inkwell.example", profile="toon", mode="metered")
    with pytest.raises(InvalidRequest) as refused:
        limits.set_spending_limit(account.pk, 60 * CREDIT, mode="alert")
    assert refused.value.extra["errors"][0]["field"] == "mode"
    assert not SpendingLimit.objects.filter(pk=account.pk).exists()
    assert balances.of(account.pk).spend_limit == 50 * CREDIT


def test_one_account_that_fails_does_not_keep_the_others_waiting(
    team: BillingAccount, ads: None, caplog: pytest.LogCaptureFixture
) -> None:
    other = open_account(name="Larkspur", email="pay@larkspur.example", profile="ads")
    for one in (team, other):
        limits.set_spending_limit(one.pk, 20 * CREDIT)
        spend(one, 10)
    due = [team.pk, other.pk]
    broken = {team.pk: ValueError("no")}

    def look(account_id: object) -> bool:
        if account_id in broken:
            raise broken[account_id]  # type: ignore[index]
        return limit_notices.watch(account_id)  # type: ignore[arg-type]

    assert notices.each(due, look) == 1
    assert said(other) == ["50"]
    assert "could not be written" in caplog.text
