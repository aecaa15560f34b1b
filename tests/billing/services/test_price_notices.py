"""New prices are told once to each account they affect, with its own figures, and so is their withdrawal."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils.timezone import now

from accounts.models import Membership, User
from billing import outbox
from billing.models import PriceAnnouncement, PriceNotice
from billing.selectors import price_notices as read
from billing.services import price_notices, repricing
from billing.services.repricing import Repricing
from catalog import versions
from catalog.models import PriceBook
from catalog.store import pure_book
from catalog.terms import Terms
from tests.billing.api.conftest import Api, Payer, ann, bob, catalog, studio
from tests.billing.api.working import authorize
from tests.billing.services.test_price_impact import draft

__all__ = ["ann", "bob", "catalog", "studio"]


@pytest.fixture
def dearer(ann: Payer, bob: Payer, studio: Api) -> PriceBook:
    """Static ads cost 6 instead of 5 in a month; Ann has made two of them, Bob a full one."""
    authorize(studio, ann)
    authorize(studio, ann)
    authorize(studio, bob, model="full")
    return versions.publish(draft("ads", static="6"), effective_at=now() + timedelta(days=30))


def told() -> int:
    count = price_notices.tell_all()
    outbox.relay()
    return count


def member(payer: Payer, email: str, role: str) -> None:
    user = User.objects.create_user(email, "long-enough-password")
    Membership.objects.create(account=payer.account, user=user, role=role)


def test_an_affected_account_reads_its_own_figures(dearer: PriceBook) -> None:
    price_notices.announce(dearer, by="staff@example.com")
    assert told() == 1
    (sent,) = mail.outbox
    assert sent.to == ["ann@example.com"]
    assert sent.subject == f"Prices change on {dearer.effective_at:%-d %B %Y}"
    body = sent.body.replace("\xa0", " ")
    assert "would have cost 12 credits instead of 10 credits: 2 credits more." in body
    assert "/pricing" in sent.body
    assert "12\xa0credits" in str(sent.alternatives[0][0])  # type: ignore[attr-defined]
    notice = PriceNotice.objects.get()
    assert (notice.before, notice.after, notice.charges) == (10_000_000, 12_000_000, 2)


def test_owners_and_billing_members_are_told(dearer: PriceBook, ann: Payer) -> None:
    for role in ("owner", "billing", "developer", "viewer"):
        member(ann, f"{role}@example.com", role)
    price_notices.announce(dearer, by="")
    told()
    assert sorted(mail_.to[0] for mail_ in mail.outbox) == ["billing@example.com", "owner@example.com"]
    assert PriceNotice.objects.get().recipients == ["owner@example.com", "billing@example.com"]


def test_nobody_is_told_twice(dearer: PriceBook) -> None:
    price_notices.announce(dearer, by="")
    assert (told(), told()) == (1, 0)
    price_notices.announce(dearer, by="")
    PriceAnnouncement.objects.update(done_at=None, last_account=None)
    assert told() == 0
    assert len(mail.outbox) == 1


def test_telling_goes_on_where_it_stopped(
    dearer: PriceBook, ann: Payer, bob: Payer, studio: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    authorize(studio, bob)
    monkeypatch.setattr(price_notices, "BATCH", 1)
    price_notices.announce(dearer, by="")
    assert price_notices._tell_some(dearer.pk, Repricing(dearer, now())) == 1
    assert PriceAnnouncement.objects.get().last_account == min(ann.account.pk, bob.account.pk)
    assert told() == 1
    assert PriceAnnouncement.objects.get().done_at is not None
    assert PriceNotice.objects.count() == 2


def test_a_version_is_compiled_once_for_all_who_are_told(
    dearer: PriceBook, ann: Payer, bob: Payer, studio: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    authorize(studio, bob)
    monkeypatch.setattr(price_notices, "BATCH", 1)
    compiled: list[PriceBook] = []

    def watched(book: PriceBook, terms: Terms) -> object:
        compiled.append(book)
        return pure_book(book, terms)

    monkeypatch.setattr(repricing, "pure_book", watched)
    price_notices.announce(dearer, by="")
    assert told() == 2
    assert len(compiled) == 1


def test_a_withdrawn_version_is_taken_back_from_those_who_were_told(dearer: PriceBook, ann: Payer) -> None:
    price_notices.announce(dearer, by="")
    told()
    assert read.standing(ann.account) is not None
    versions.withdraw(dearer, by="", because="")
    assert price_notices.withdrawn(dearer)
    assert read.standing(ann.account) is None
    assert (told(), told()) == (1, 0)
    assert [message.subject for message in mail.outbox][1:] == ["Prices stay as they are"]
    assert mail.outbox[1].to == ["ann@example.com"]


def test_the_notice_stands_until_the_prices_are_in_force(dearer: PriceBook, ann: Payer, bob: Payer) -> None:
    price_notices.announce(dearer, by="")
    told()
    assert read.standing(bob.account) is None
    notice = read.standing(ann.account)
    assert notice is not None
    assert notice.announcement.book == dearer


def test_the_pricing_page_says_it_until_then_to_those_who_were_told(
    dearer: PriceBook, ann: Payer, bob: Payer, client: Client
) -> None:
    price_notices.announce(dearer, by="")
    told()
    member(ann, "owner@example.com", "owner")
    member(bob, "bobby@example.com", "owner")

    def page(email: str) -> str:
        client.force_login(User.objects.get(email=email))
        return " ".join(re.sub(r"<[^>]+>", "", client.get("/pricing").content.decode()).split())

    shown = page("owner@example.com").replace("\xa0", " ").replace("&nbsp;", " ")
    assert "would have cost 12 credits instead of 10 credits." in shown
    assert "Prices change on" not in page("bobby@example.com")
    versions.withdraw(dearer, by="", because="")
    assert "Prices change on" not in page("owner@example.com")
