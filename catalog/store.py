"""Between rows and pure values: profiles to terms, prices to items, and back."""

from collections.abc import Iterable
from typing import Any

from catalog.models import AIModel, Operation, Plan, Price, PriceBook, PriceList, Profile
from catalog.pricing.book import BookInfo, build_book
from catalog.pricing.engine import PriceBook as PureBook
from catalog.pricing.types import BalanceTier, Item, PlanTier
from catalog.pricing.units import decimal_to_text, micros_to_text
from catalog.resolve import ListedItem
from catalog.rules import Document, from_document, to_document
from catalog.terms import Terms

# Columns of Price; everything else of an item is in ``rules``.
_RATE_COLUMNS = ("price", "per", "approximate")
_OWN_NAMES = ("model", "operation", "model_name", "operation_name", "description", "tier")


def plan_document(plan: Plan) -> Document:
    """A plan row as ``catalog.terms.PlanEntry`` writes it."""
    return {
        "slug": plan.slug,
        "name": plan.name,
        "rank": plan.rank,
        "price": micros_to_text(plan.price),
        "credits": micros_to_text(plan.credits),
        "credits_once": micros_to_text(plan.credits_once),
        "key_slots": plan.key_slots,
        "monthly_limits": plan.monthly_limits,
        "features": plan.features,
        "trial_days": plan.trial_days,
        "example": plan.example,
    }


def price_list_document(row: PriceList) -> Document:
    """A price list row as ``catalog.terms.PriceListTerms`` writes it."""
    return {"slug": row.slug, "name": row.name, "unit": row.unit, "modes": row.modes}


def terms_of(profile: Profile, plans: Iterable[Plan], lists: Iterable[PriceList]) -> Terms:
    """The terms of a profile from its rows. Raises ValidationError."""
    price_lists = [price_list_document(row) for row in lists]
    return Terms.model_validate(
        {
            **profile.settings,
            "slug": profile.slug,
            "name": profile.name,
            "unit": price_lists[0]["unit"],
            "cash_currency": profile.cash_currency,
            "credit_price": profile.credit_price,
            "is_default": profile.is_default,
            "plans": [{**plan_document(plan), "active": plan.active} for plan in plans],
            "price_lists": price_lists,
        }
    )


def item_of(price: Price) -> Item:
    """The complete item behind a price row. Raises ValidationError when its rules are malformed."""
    rate = {**price.rules.get("rate", {}), "per": price.per, "approximate": price.approximate}
    if price.amount is not None:
        rate["price"] = price.amount
    return from_document(
        {
            **price.rules,
            "rate": rate,
            "requires": price.requires,
            "model": price.model.slug,
            "model_name": price.model.name,
            "description": price.model.description,
            "tier": price.model.tier,
            "operation": price.operation.slug,
            "operation_name": price.operation.name,
        }
    )


def price_row(
    book: PriceBook, listed: ListedItem, model: AIModel, operation: Operation, position: int
) -> Price:
    """An unsaved price row of a book for an item."""
    item = listed.item
    return Price(
        book=book,
        model=model,
        operation=operation,
        amount=None if item.phases else item.rate.price,
        per=item.rate.per,
        approximate=item.rate.approximate,
        requires=item.requires,
        provider_cost=listed.provider_cost,
        rules=_rules(to_document(item)),
        position=position,
    )


def price_document(item: Item, provider_cost: object) -> Document:
    """What makes an item's price, for comparing versions; names and tiers belong to models."""
    document = {key: part for key, part in to_document(item).items() if key not in _OWN_NAMES}
    if provider_cost is not None:
        document["provider_cost"] = decimal_to_text(provider_cost)  # type: ignore[arg-type]  # a Decimal column
    return document


def _rules(document: Document) -> Document:
    rules: dict[str, Any] = {k: v for k, v in document.items() if k not in (*_OWN_NAMES, "requires")}
    rate = {key: part for key, part in rules.pop("rate", {}).items() if key not in _RATE_COLUMNS}
    return {**rules, "rate": rate} if rate else rules


def gates_of(terms: Terms) -> tuple[tuple[PlanTier, ...], tuple[BalanceTier, ...]]:
    """The plans and balance gates as price books are compiled with them."""
    plans = tuple(PlanTier(slug=plan.slug, name=plan.name, rank=plan.rank) for plan in terms.plans)
    return plans, tuple(gate.compiled() for gate in terms.balance_gates)


def pure_book(row: PriceBook, terms: Terms) -> PureBook:
    """The book ready for pricing, with today's plans and balance gates. Raises InvalidBook."""
    plans, balance_tiers = gates_of(terms)
    info = BookInfo(
        id=row.id,
        profile=terms.slug,
        price_list=row.price_list.slug,
        version=row.version,
        unit=row.price_list.unit,
        effective_at=row.effective_at,
        plans=plans,
        balance_tiers=balance_tiers,
    )
    prices = row.prices.select_related("model", "operation").order_by("position", "id")
    return build_book(info, [item_of(price) for price in prices])
