"""Changing the catalog: storing a profile file, publishing a price book, following a provider's cost.

Published versions are history: each change of a price is a new version with its own effective date.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.timezone import now

from catalog import drafts, price_csv, snapshot
from catalog.differences import Change, book_document, differences, file_document, stored_document
from catalog.loader import LoadedProfile
from catalog.models import AIModel, Operation, Plan, Price, PriceBook, PriceList, Profile
from catalog.profile_file import PriceListEntry
from catalog.resolve import ListedItem, derived_rate
from catalog.store import price_document, price_row
from catalog.versions import CannotPublish, empty_draft, latest, new_draft, publish

__all__ = [
    "CannotPublish",
    "Stored",
    "change_provider_cost",
    "make_default",
    "new_draft",
    "pending_changes",
    "publish",
    "rederive",
    "store_prices",
    "store_profile",
]


@dataclass(frozen=True, slots=True)
class Stored:
    """What storing a profile did: the differences, and the price book versions that were published."""

    changes: tuple[Change, ...]
    published: tuple[PriceBook, ...]


def pending_changes(loaded: LoadedProfile) -> list[Change]:
    """What storing this file would change; changes nothing."""
    return differences(stored_document(loaded.file.profile.id), file_document(loaded))


def store_profile(
    loaded: LoadedProfile, *, make_default: bool = False, effective_at: datetime | None = None
) -> Stored:
    """Make the stored profile what the file says, all or nothing; a second time does nothing.

    Prices that changed are published as a new version in force from ``effective_at`` (now by default).
    Raises CannotPublish. What the file no longer has is switched off, never deleted: charges refer to it.
    """
    head = loaded.file.profile
    with transaction.atomic():
        profile, created = Profile.objects.select_for_update().get_or_create(
            slug=head.id, defaults={"name": head.name, "cash_currency": head.cash_currency}
        )
        changes = differences({}, file_document(loaded)) if created else pending_changes(loaded)
        _become_default(profile, wanted=make_default)
        if not changes:
            return Stored((), ())
        profile.name = head.name
        profile.cash_currency = head.cash_currency
        profile.credit_price = head.credit_price
        profile.settings = loaded.file.terms.model_dump(mode="json")
        profile.save()
        _store_plans(profile, loaded)
        _store_models(profile, loaded, retire=effective_at is None or effective_at <= now())
        lists = _store_price_lists(profile, loaded.file.price_list)
        changed = {change.where.split(" ")[1] for change in changes if change.where.startswith("price ")}
        published = [
            _publish_items(row, loaded.lists[slug], effective_at)
            for slug, row in lists.items()
            if slug in changed
        ]
        transaction.on_commit(snapshot.expire)
    return Stored(tuple(changes), tuple(published))


def store_prices(
    price_list: PriceList,
    data: bytes,
    *,
    complete: bool = False,
    effective_at: datetime | None = None,
    dry_run: bool = False,
) -> Stored:
    """Publish the prices of a CSV file as a new version, where they are other prices; all or nothing.

    Raises InvalidPrices with every mistake, CannotPublish.
    """
    with transaction.atomic():
        before = book_document(latest(price_list))
        draft = new_draft(price_list, note="Loaded from a CSV file")
        wanted = price_csv.read(draft, data, complete=complete)
        after = {".".join(key): price_document(entry.item, entry.cost) for key, entry in wanted.items()}
        slug = price_list.slug
        changes = tuple(differences({"price": {slug: before}}, {"price": {slug: after}}))
        if dry_run or not changes:
            draft.prices.all().delete()
            draft.delete()
            return Stored(changes, ())
        drafts.store(draft, wanted)
        return Stored(changes, (publish(draft, effective_at=effective_at),))


def make_default(profile_slug: str) -> None:
    """Make this the profile of accounts that sign up. Raises Profile.DoesNotExist."""
    with transaction.atomic():
        _become_default(Profile.objects.select_for_update().get(slug=profile_slug), wanted=True)


def change_provider_cost(model: AIModel, cost: Decimal) -> list[PriceBook]:
    """Note a provider's new cost and re-derive every rate that follows it; gives the new versions."""
    with transaction.atomic():
        Profile.objects.select_for_update().get(pk=model.profile_id)
        AIModel.objects.filter(pk=model.pk).update(provider_cost=cost)
        transaction.on_commit(snapshot.expire)
        return rederive(model.profile)


def rederive(profile: Profile) -> list[PriceBook]:
    """Publish a new version of each price list whose derived rates no longer follow the models' costs."""
    published = []
    with transaction.atomic():
        for price_list in profile.price_lists.filter(active=True, markup__isnull=False):
            last = latest(price_list)
            if last is None:
                continue
            prices = last.prices.filter(provider_cost__isnull=False).select_related("model")
            stale = {price.pk for price in prices if price.provider_cost != price.model.provider_cost}
            if stale:
                book = new_draft(price_list, source=last, note="Rates derived from providers' new costs")
                _derive(book, price_list)
                published.append(publish(book))
    return published


def _derive(book: PriceBook, price_list: PriceList) -> None:
    for price in book.prices.filter(provider_cost__isnull=False).select_related("model"):
        cost = price.model.provider_cost
        if cost is None or price_list.markup is None or price_list.round_to is None:
            raise CannotPublish(f"{price.model} has no provider cost to derive a rate from.")
        price.provider_cost = cost
        price.amount = derived_rate(cost, price_list.markup, price_list.round_to)
        if price.amount == 0:
            raise CannotPublish(f"{price.model}'s cost gives a rate of 0; nothing is free by derivation.")
        price.save()


def _become_default(profile: Profile, *, wanted: bool) -> None:
    """The first profile is the default; later ones become it on request."""
    if profile.is_default or not (wanted or not Profile.objects.filter(is_default=True).exists()):
        return
    Profile.objects.filter(is_default=True).update(is_default=False)
    profile.is_default = True
    profile.save(update_fields=["is_default"])
    transaction.on_commit(snapshot.expire)


def _store_plans(profile: Profile, loaded: LoadedProfile) -> None:
    profile.plans.update(active=False)  # ranks are unique among the active ones, and may change places
    for plan in loaded.file.plan:
        fields = plan.model_dump(exclude={"slug"})
        fields["features"] = list(plan.features)
        fields["monthly_limits"] = dict(plan.monthly_limits)
        Plan.objects.update_or_create(profile=profile, slug=plan.slug, defaults={**fields, "active": True})


def _store_models(profile: Profile, loaded: LoadedProfile, *, retire: bool) -> None:
    """``retire`` switches off what the file no longer has; until later prices are in force it is still sold."""
    for position, model in enumerate(loaded.file.model):
        fields = {
            "name": model.name,
            "tier": model.tier,
            "description": model.description,
            "provider_cost": model.provider_cost,
        }
        AIModel.objects.update_or_create(
            profile=profile, slug=model.id, defaults={**fields, "active": True, "position": position}
        )
    for position, operation in enumerate(loaded.file.operation):
        Operation.objects.update_or_create(
            profile=profile,
            slug=operation.id,
            defaults={"name": operation.name, "active": True, "position": position},
        )
    if retire:
        profile.ai_models.exclude(slug__in=[entry.id for entry in loaded.file.model]).update(active=False)
        profile.operations.exclude(slug__in=[entry.id for entry in loaded.file.operation]).update(
            active=False
        )


def _store_price_lists(profile: Profile, entries: tuple[PriceListEntry, ...]) -> dict[str, PriceList]:
    _refuse_other_units(profile, entries)
    rows = {}
    for position, entry in enumerate(entries):
        fields = entry.model_dump(exclude={"id"})
        fields["modes"] = list(entry.modes)
        rows[entry.id], _ = PriceList.objects.update_or_create(
            profile=profile, slug=entry.id, defaults={**fields, "active": True, "position": position}
        )
    profile.price_lists.exclude(slug__in=list(rows)).update(active=False)
    return rows


def _refuse_other_units(profile: Profile, entries: tuple[PriceListEntry, ...]) -> None:
    """Versions are in the unit of their list, so a list that has any keeps it. Raises CannotPublish."""
    history = PriceBook.objects.filter(price_list__profile=profile).exclude(status=PriceBook.Status.DRAFT)
    units = dict(history.order_by().values_list("price_list__slug", "price_list__unit").distinct())
    wrong = [
        f"The price list {entry.id} has versions in {units[entry.id]}, which stay as they are; "
        f"give the list in {entry.unit} another id."
        for entry in entries
        if units.get(entry.id, entry.unit) != entry.unit
    ]
    if wrong:
        raise CannotPublish(*wrong)


def _publish_items(row: PriceList, items: list[ListedItem], effective_at: datetime | None) -> PriceBook:
    book = empty_draft(row, note="Loaded from a profile file")
    models = {model.slug: model for model in AIModel.objects.filter(profile=row.profile)}
    operations = {operation.slug: operation for operation in Operation.objects.filter(profile=row.profile)}
    Price.objects.bulk_create(
        price_row(book, listed, models[listed.item.model], operations[listed.item.operation], position)
        for position, listed in enumerate(items)
    )
    return publish(book, effective_at=effective_at)
