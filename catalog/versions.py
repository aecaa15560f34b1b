"""The versions of a price list: opening a draft, publishing it, withdrawing it in time, going back to an old one.

Versions come into force in the order of their numbers, one at an instant. Published ones never change, so an
old version is rolled back to by publishing a copy of it.
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Max
from django.utils.timezone import now

from catalog import snapshot
from catalog.models import Price, PriceBook, PriceList
from catalog.pricing.errors import InvalidBook
from catalog.store import plan_document, pure_book, terms_of

Status = PriceBook.Status
LONGEST_AHEAD: Final = timedelta(days=3 * 366)
"""A date further ahead is taken for a slip of the pen."""
LAST_CALL: Final = timedelta(minutes=1)
"""So long before it comes into force a version is no longer withdrawn: some process may price by it already."""


class CannotPublish(Exception):
    """A price book that cannot come into force (or be left); ``problems`` says each reason and what to do."""

    def __init__(self, *problems: str) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


def state_of(book: PriceBook, moment: datetime | None = None) -> str:
    """How a version stands: draft, scheduled, in force, past or withdrawn."""
    if book.status != Status.PUBLISHED or book.effective_at is None:
        return book.status
    moment = moment or now()
    if book.effective_at > moment:
        return "scheduled"
    current = in_force(book.price_list, moment)
    return "in force" if current is not None and current.pk == book.pk else "past"


def in_force(price_list: PriceList, moment: datetime | None = None) -> PriceBook | None:
    """The version in force at a moment (now); before the first one, the first one."""
    published = price_list.books.filter(status=Status.PUBLISHED)
    begun = published.filter(effective_at__lte=moment or now()).order_by("-effective_at").first()
    return begun or published.order_by("effective_at").first()


def latest(price_list: PriceList) -> PriceBook | None:
    """The last published version, in force or scheduled."""
    return price_list.books.filter(status=Status.PUBLISHED).order_by("-effective_at").first()


def scheduled(price_list: PriceList) -> list[PriceBook]:
    """The versions that are still to come into force, the next one first."""
    return list(
        price_list.books.filter(status=Status.PUBLISHED, effective_at__gt=now()).order_by("effective_at")
    )


def publish(
    book: PriceBook, *, effective_at: datetime | None = None, by: str = "", note: str | None = None
) -> PriceBook:
    """Put a draft into force from ``effective_at`` (now by default); it never changes again.

    Raises CannotPublish with every reason: no draft, a date that does not fit, prices that cannot be priced from.
    """
    with transaction.atomic():
        price_list = PriceList.objects.select_for_update().get(pk=book.price_list_id)
        book = PriceBook.objects.select_for_update().select_related("price_list__profile").get(pk=book.pk)
        if book.status != Status.DRAFT:
            raise CannotPublish(f"{book} is {book.status} already; publish a new version instead.")
        moment = now()
        problems = [*date_problems(price_list, effective_at, moment), *price_problems(book)]
        if problems:
            raise CannotPublish(*problems)
        book.status = Status.PUBLISHED
        book.effective_at = max(effective_at or moment, moment)
        book.published_at = moment
        book.published_by = by
        book.note = book.note if note is None else note
        book.plans = {plan.slug: plan_document(plan) for plan in price_list.profile.plans.filter(active=True)}
        book.save()
        transaction.on_commit(snapshot.expire)
    return book


def date_problems(price_list: PriceList, starts: datetime | None, moment: datetime) -> list[str]:
    """Why a version cannot come into force then (None: now). A minute ago is now: forms know no seconds."""
    problems = []
    if starts is not None and starts < moment - timedelta(minutes=1):
        problems.append(f"{_when(starts)} is in the past; prices come into force now or later.")
    if starts is not None and starts > moment + LONGEST_AHEAD:
        problems.append(f"{_when(starts)} is more than three years ahead.")
    last = latest(price_list)
    if last is None or last.effective_at is None:
        return problems
    begins = starts or moment
    if begins == last.effective_at:
        problems.append(f"Two versions at the same instant: {last} takes effect at {_when(begins)} too.")
    elif begins < last.effective_at and last.effective_at > moment:
        problems.append(
            f"{last} is scheduled for {_when(last.effective_at)}; choose a later date, or withdraw it first."
        )
    elif begins < last.effective_at:
        problems.append(f"{last} is in force from {_when(last.effective_at)}; publish from then on.")
    return problems


def price_problems(book: PriceBook) -> list[str]:
    """Why nothing can be priced by a draft as it stands: missing plans, circular phases, malformed rules."""
    profile = book.price_list.profile
    terms = terms_of(profile, profile.plans.all(), profile.price_lists.filter(active=True))
    try:
        pure = pure_book(book, terms)
    except InvalidBook as error:
        return [f"{book} cannot be priced from: {problem}" for problem in error.problems]
    except ValueError as error:  # pydantic's
        return [f"{book} cannot be priced from: {error}"]
    return [] if pure.items else [f"{book} has no price; nothing could be sold."]


def withdraw(book: PriceBook, *, by: str, because: str) -> PriceBook:
    """Take back a version that is not in force yet; what was before stays. Raises CannotPublish."""
    with transaction.atomic():
        PriceList.objects.select_for_update().get(pk=book.price_list_id)
        book = PriceBook.objects.select_for_update().select_related("price_list__profile").get(pk=book.pk)
        if book.status != Status.PUBLISHED or book.effective_at is None:
            raise CannotPublish(f"{book} is not published; there is nothing to withdraw.")
        if book.effective_at <= now() + LAST_CALL:
            raise CannotPublish(
                f"{book} is in force, or will be within a minute. Roll back to an older version instead."
            )
        book.status = Status.WITHDRAWN
        book.withdrawn_at = now()
        book.withdrawn_by = by
        book.withdrawn_because = because
        book.save()
        transaction.on_commit(snapshot.expire)
    return book


def new_draft(price_list: PriceList, *, source: PriceBook | None = None, note: str = "") -> PriceBook:
    """A draft with the prices of ``source`` (the last published version by default), to be edited and published.

    Raises CannotPublish while another draft of the list is open.
    """
    with transaction.atomic():
        source = source or latest(price_list)
        book = empty_draft(price_list, source=source, note=note)
        if source is not None:
            Price.objects.bulk_create(
                [_copied(price, book) for price in source.prices.order_by("position", "id")]
            )
    return book


def empty_draft(price_list: PriceList, *, source: PriceBook | None = None, note: str = "") -> PriceBook:
    """A draft without prices, numbered after all versions there have been. Raises as ``new_draft``."""
    with transaction.atomic():
        price_list = PriceList.objects.select_for_update().get(pk=price_list.pk)
        if price_list.books.filter(status=Status.DRAFT).exists():
            raise CannotPublish(f"{price_list} has an open draft; publish or delete it first.")
        highest = price_list.books.aggregate(highest=Max("version"))["highest"] or 0
        return PriceBook.objects.create(price_list=price_list, version=highest + 1, note=note, source=source)


def roll_back(book: PriceBook, *, by: str, reason: str, effective_at: datetime | None = None) -> PriceBook:
    """Publish the prices of an older version again, as a new one. Raises CannotPublish."""
    with transaction.atomic():
        if book.status == Status.DRAFT:
            raise CannotPublish(f"{book} is a draft; publish it instead.")
        return publish(new_draft(book.price_list, source=book, note=reason), effective_at=effective_at, by=by)


def _copied(price: Price, book: PriceBook) -> Price:
    price.pk = None
    price._state.adding = True
    price.book = book
    return price


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
