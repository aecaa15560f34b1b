"""Reads of the catalog for pages and the API, from the snapshot in memory."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils.timezone import now

from catalog import snapshot
from catalog.pricing.book import CompiledItem
from catalog.pricing.engine import PriceBook, estimate
from catalog.pricing.errors import PricingError
from catalog.pricing.types import Between, Discount, Item, Modifier, ParameterSpec, Phase, Variant, When
from catalog.pricing.units import decimal_to_text, micros_to_text
from catalog.terms import Plan, Terms

Document = dict[str, Any]


def terms(profile_slug: str) -> Terms:
    """The terms of a profile. Raises snapshot.UnknownProfile."""
    return snapshot.current().terms(profile_slug)


def default_profile() -> str:
    """The profile of accounts that sign up. Raises snapshot.UnknownProfile when none is loaded."""
    slug = snapshot.current().default_profile
    if slug is None:
        raise snapshot.UnknownProfile("No profile is loaded; run manage.py load_profile.")
    return slug


def public_pricing(
    profile_slug: str,
    *,
    mode: str | None = None,
    plan: str | None = None,
    discounts: Iterable[Discount] = (),
    only_available: bool = False,
    at: datetime | None = None,
    book: PriceBook | None = None,
) -> Document:
    """What things cost, in the shape of ``GET /v1/pricing``. Raises snapshot.UnknownProfile.

    Without a mode every price list is shown, each operation with its own unit. With a plan each entry says
    whether the plan opens it; ``only_available`` leaves the others out. ``at`` asks for another moment, past or
    scheduled; ``book`` for one version instead of the one in force (an account may keep one). What is switched off is
    left out, but of a past moment. ``version`` changes whenever the document would, and serves as its ETag.
    """
    state = snapshot.current()
    mine = state.terms(profile_slug)
    moment = at or now()
    modes = [entry.modes[0] for entry in mine.price_lists] if mode is None else [mode]
    books = [book] if book is not None else [state.book(profile_slug, moment, each) for each in modes]
    offers = tuple(discounts)
    selling = state if at is None or at >= now() else None
    view = _View(mine, mine.plan(plan) if plan else None, offers, only_available, selling)
    starts = [each.info.effective_at for each in books if each.info.effective_at is not None]
    since = max(starts, default=moment)
    scheduled = state.next_change(profile_slug, moment, modes) if book is None else None
    models = _models(books, view)
    return {
        "profile": mine.slug,
        "unit": books[0].unit,
        "as_of": _instant(at or since),
        "effective_at": _instant(since),
        "next_change_at": None if scheduled is None else _instant(scheduled),
        "version": _version(state.token, books, mode, plan, _seen(offers), only_available, at, book is None),
        "approximate": any(entry["approximate"] for model in models for entry in model["operations"]),
        "operations": _operations(books, models),
        "models": models,
    }


class _View:
    """For whom prices are shown: an account's plan and offers, or anybody."""

    def __init__(
        self,
        terms_: Terms,
        plan: Plan | None,
        offers: tuple[Discount, ...],
        only_available: bool,
        selling: snapshot.Snapshot | None,
    ) -> None:
        self.terms = terms_
        self.plan = plan
        self.offers = offers
        self.only_available = only_available
        self._selling = selling

    def sells(self, item: CompiledItem) -> bool:
        """Whether nothing of it is switched off."""
        return self._selling is None or self._selling.switched_off(self.terms.slug, item) is None

    def opens(self, requires: str) -> bool:
        needed = self.terms.plan(requires) if requires else None
        return needed is None or (self.plan is not None and self.plan.rank >= needed.rank)

    def shows(self, requires: str) -> bool:
        return not self.only_available or self.opens(requires)

    def requirement(self, requires: str) -> Document | None:
        """The plan that opens something, as "Pro+" where higher plans open it too."""
        needed = self.terms.plan(requires) if requires else None
        if needed is None:
            return None
        highest = max(plan.rank for plan in self.terms.plans)
        label = needed.name if needed.rank == highest else f"{needed.name}+"
        return {"plan": needed.slug, "label": label, "met": self.opens(requires)}


def _models(books: list[PriceBook], view: _View) -> list[Document]:
    models: dict[str, Document] = {}
    for book in books:
        for (slug, _), item in book.items.items():
            if not view.shows(item.spec.requires) or not view.sells(item):
                continue
            model = models.setdefault(slug, _model(item.spec))
            model["operations"].append(_operation(book, item, view))
    return list(models.values())


def _operations(books: list[PriceBook], models: list[Document]) -> list[Document]:
    """The operations of what is shown, by name, in the order of the price lists."""
    names = {slug: name for book in books for slug, name in book.operations.items()}
    shown = {entry["operation"] for model in models for entry in model["operations"]}
    return [{"id": slug, "name": name} for slug, name in names.items() if slug in shown]


def _model(spec: Item) -> Document:
    return {
        "id": spec.model,
        "name": spec.model_name,
        "description": spec.description,
        "tier": spec.tier,
        "operations": [],
    }


def _operation(book: PriceBook, item: CompiledItem, view: _View) -> Document:
    percents = _percents(item, view.offers)
    spec = _reduced(_repriced(book, item, view.offers), percents)
    rate = spec.rate
    low, high, price = rate.low, rate.high, rate.price
    shown: Document = {
        "operation": spec.operation,
        "name": spec.operation_name,
        "price": None if price is None else decimal_to_text(price),
        "per": rate.per,
        "range": None if low is None and high is None else _range(low or price, high or price),
        "modifiers": [
            *(_variant(v, view) for v in rate.variants if view.shows(v.requires)),
            *(_modifier(m, view) for m in rate.modifiers if view.shows(m.requires)),
        ],
        "requires": view.requirement(spec.requires),
        "approximate": rate.approximate,
        "free": spec.is_free,
        "unit": book.unit,
        "price_list": book.info.price_list,
        "modes": list(view.terms.price_list(_mode(view.terms, book)).modes),
        "parameters": [_parameter(parameter) for parameter in spec.parameters],
        "confirmation": spec.confirm,
        "monthly_limit": _monthly_limit(spec, view),
        "available_from": _available_from(item),
    }
    if price is None:
        shown.update(_usual(book, spec, percents))
    if (list_price := item.spec.rate.price) != price and list_price is not None:
        shown["list_price"] = decimal_to_text(list_price)
    if percents or list_price != price:
        shown["offers"] = [offer.label for offer in view.offers if _applies(item, offer)]
    if spec.phases:
        shown["phases"] = _phases(book, spec)
    return shown


def _applies(item: CompiledItem, offer: Discount) -> bool:
    """Whether an offer changes the item's price. What is free stays free; a pipeline has no price to replace."""
    spec = item.spec
    if spec.rate.price == 0 and not spec.phases and not spec.rate.variants:
        return False
    return offer.covers(spec.model, spec.operation) and not (spec.phases and offer.price is not None)


def _repriced(book: PriceBook, item: CompiledItem, offers: tuple[Discount, ...]) -> Item:
    """The item at the account's committed unit price, where one is agreed."""
    agreed = [offer.price for offer in offers if offer.price is not None and _applies(item, offer)]
    return book.repriced(item, min(agreed)).spec if agreed else item.spec


def _percents(item: CompiledItem, offers: tuple[Discount, ...]) -> tuple[Discount, ...]:
    """The offers that take a percentage off the item."""
    return tuple(offer for offer in offers if offer.percent and _applies(item, offer))


def _reduced(spec: Item, percents: tuple[Discount, ...]) -> Item:
    """The item with its unit prices less the percentages: what one of it comes to, before rounding the sum."""
    if not percents:
        return spec

    def less(price: Decimal) -> Decimal:
        for offer in percents:
            price = price * (100 - offer.percent) / 100
        return price

    def maybe(price: Decimal | None) -> Decimal | None:
        return None if price is None else less(price)

    rate = spec.rate
    variants = tuple(
        replace(each, price=less(each.price), low=maybe(each.low), high=maybe(each.high))
        for each in rate.variants
    )
    modifiers = tuple(replace(each, add=less(each.add)) for each in rate.modifiers)
    reduced = replace(
        rate,
        price=maybe(rate.price),
        low=maybe(rate.low),
        high=maybe(rate.high),
        variants=variants,
        modifiers=modifiers,
    )
    return replace(spec, rate=reduced)


def _usual(book: PriceBook, spec: Item, percents: tuple[Discount, ...]) -> Document:
    """The price at default parameters, for what only variants or phases price."""
    if not spec.phases:
        defaults = {parameter.name: parameter.default for parameter in spec.parameters}
        for variant in spec.rate.variants:
            if all(
                isinstance(allowed, tuple) and defaults.get(name) in allowed
                for name, allowed in variant.when.items()
            ):
                bounds = None
                if variant.low is not None or variant.high is not None:
                    bounds = _range(variant.low or variant.price, variant.high or variant.price)
                approximate = variant.approximate or spec.rate.approximate
                return {"price": decimal_to_text(variant.price), "range": bounds, "approximate": approximate}
        return {}
    try:
        quote = estimate(book, spec.model, spec.operation, {}, discounts=percents)
    except PricingError:
        return {}
    return {
        "price": micros_to_text(quote.micros),
        "range": quote.range_json(),
        "approximate": quote.approximate,
    }


def _variant(variant: Variant, view: _View) -> Document:
    bounded = variant.low is not None or variant.high is not None
    return {
        "name": variant.name,
        "when": _when(variant.when),
        "price": decimal_to_text(variant.price),
        "range": _range(variant.low or variant.price, variant.high or variant.price) if bounded else None,
        "approximate": variant.approximate,
        "requires": view.requirement(variant.requires),
    }


def _modifier(modifier: Modifier, view: _View) -> Document:
    return {
        "name": modifier.name,
        "when": _when(modifier.when),
        "times": decimal_to_text(modifier.times),
        "add": decimal_to_text(modifier.add),
        "requires": view.requirement(modifier.requires),
    }


def _phases(book: PriceBook, spec: Item) -> list[Document]:
    """The phases in order, each with what it is expected to cost in this pipeline."""
    try:
        lines = estimate(book, spec.model, spec.operation, {}).lines
    except PricingError:
        lines = ()
    expected = {line.what: micros_to_text(line.micros) for line in lines}
    return [{**_phase(book, phase), "estimate": expected.get(phase.name)} for phase in spec.phases]


def _phase(book: PriceBook, phase: Phase) -> Document:
    """A phase with its usual cost; what it is made of is shown where it is another item."""
    shown: Document = {"id": phase.id, "name": phase.name, "only_reported": phase.only_reported}
    if phase.rate is not None:
        price, low, high = phase.rate.price, phase.rate.low, phase.rate.high
        shown["price"] = None if price is None else decimal_to_text(price)
        shown["per"] = phase.rate.per
        shown["range"] = None if low is None and high is None else _range(low or price, high or price)
        shown["approximate"] = phase.rate.approximate
    elif phase.uses is not None:
        quote = estimate(book, phase.uses.model, phase.uses.operation, phase.uses.parameters)
        shown["price"] = micros_to_text(quote.micros)
        shown["per"] = "request"
        shown["range"] = quote.range_json()
        shown["approximate"] = quote.approximate
        shown["uses"] = {"model": phase.uses.model, "operation": phase.uses.operation}
    return shown


def _parameter(spec: ParameterSpec) -> Document:
    default = spec.default
    return {
        "name": spec.name,
        "type": spec.type,
        "choices": list(spec.choices),
        "min": None if spec.min is None else decimal_to_text(spec.min),
        "max": None if spec.max is None else decimal_to_text(spec.max),
        "default": default if default is None or isinstance(default, bool | str) else str(default),
        "counts": spec.counts,
    }


def _when(when: When) -> Document:
    shown: Document = {}
    for name, allowed in when.items():
        if isinstance(allowed, Between):
            bounds: Mapping[str, Any] = {"min": allowed.min, "max": allowed.max}
            shown[name] = {key: decimal_to_text(value) for key, value in bounds.items() if value is not None}
        else:
            shown[name] = list(allowed)
    return shown


def _range(low: Any, high: Any) -> Document | None:
    if low is None or high is None:
        return None
    return {"low": decimal_to_text(low), "high": decimal_to_text(high)}


def _monthly_limit(spec: Item, view: _View) -> Document | None:
    """The count a plan includes a month, of every plan that has one."""
    if not spec.monthly_limit:
        return None
    plans = {
        plan.slug: plan.monthly_limits[spec.monthly_limit]
        for plan in view.terms.plans
        if spec.monthly_limit in plan.monthly_limits
    }
    names = {plan.slug: plan.name for plan in view.terms.plans}
    if view.plan is not None:
        text = f"{plans[view.plan.slug]} a month" if view.plan.slug in plans else ""
    else:
        text = ", ".join(f"{most} a month with {names[slug]}" for slug, most in plans.items())
    return {"name": spec.monthly_limit, "plans": plans, "text": text}


def _available_from(item: CompiledItem) -> str | None:
    """The balance that opens the item with default parameters; None where any balance does."""
    try:
        values = item.parameters.of_request({})
    except PricingError:
        return None
    needs = item.gate(item.tier, values).needs_available
    return micros_to_text(needs) if needs else None


def _instant(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _mode(terms_: Terms, book: PriceBook) -> str:
    return next(entry.modes[0] for entry in terms_.price_lists if entry.slug == book.info.price_list)


def _seen(offers: tuple[Discount, ...]) -> list[object]:
    """Offers as every process writes them; a set has no order of its own."""
    return [
        (offer.label, offer.percent, offer.price, sorted(offer.models), sorted(offer.operations))
        for offer in offers
    ]


def _version(token: object, books: list[PriceBook], *view: object) -> str:
    text = repr((str(token), [str(book.id) for book in books], view))
    return hashlib.sha256(text.encode()).hexdigest()[:20]
