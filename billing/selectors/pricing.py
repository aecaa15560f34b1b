"""Prices as the page lays them out: models in rows, operations in columns, a table per price list."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.models import PriceLock
from billing.selectors.commitments import missing_price
from billing.selectors.offers import Agreed, AgreedOffer
from catalog import snapshot
from catalog.pricing.errors import InvalidAmount
from catalog.pricing.rounding import to_micros
from catalog.pricing.units import decimal_to_text, parse_micros

MOST_COLUMNS: Final = 6
"""With more operations than this only those that several models share get columns; the rest is listed."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """One model × operation that is offered. ``micros`` None: the price depends on the options alone."""

    operation: str
    micros: int | None
    low: int | None
    high: int | None
    per: str
    unit: str
    approximate: bool
    free: bool
    gate: str
    gate_met: bool
    available_from: int | None
    confirmation: bool
    options: tuple["Option", ...]
    list_micros: int | None = None
    monthly: str = ""
    phases: tuple["Phase", ...] = ()
    less: str = ""
    """The offers that take a share off the sum of the phases, by name."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of a pipeline and what it is expected to cost in it; a reserve is charged only where it is used."""

    name: str
    micros: int | None
    low: int | None
    high: int | None
    approximate: bool
    is_reserve: bool


@dataclass(frozen=True, slots=True)
class AgreedPrice:
    """An offer in a line: its name, what it takes off or fixes, what it covers, and its time."""

    name: str
    figures: str
    covers: str
    since: datetime
    until: datetime | None
    tiers: tuple[str, ...]
    quantity: int
    is_committed: bool
    is_planned: bool
    missing: int = 0
    """Micros for each request that is missing from the commitment at a month's end."""


@dataclass(frozen=True, slots=True)
class AgreedPrices:
    """What was agreed with an account and counts or will: offers, and the version it keeps."""

    offers: tuple[AgreedPrice, ...]
    lock: PriceLock | None


@dataclass(frozen=True, slots=True)
class Option:
    """What changes a price: another price (``micros``), or a factor and what is added to each."""

    name: str
    micros: int | None
    times: str
    added: int | None
    gate: str
    approximate: bool


@dataclass(frozen=True, slots=True)
class Row:
    """``slug`` and ``operation`` are what the estimator is asked with; ``description`` says what a model makes."""

    model: str
    tier: str
    cells: tuple[Cell | None, ...]
    slug: str = ""
    operation: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """``columns`` empty: a plain list of operations and prices for one model.

    ``available_from``: the balance that opens all of them, where it is the same for all.
    """

    title: str
    unit: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def available_from(self) -> int | None:
        needed = {cell.available_from for row in self.rows for cell in row.cells if cell is not None}
        return needed.pop() if len(needed) == 1 else None


def tables(
    document: Document, titles: dict[str, str], search: str = "", operation: str = ""
) -> list[PriceTable]:
    """The tables for a document of ``catalog.selectors.public_pricing``, narrowed by words and operation.

    ``titles`` names the price lists. What gets a column is decided before narrowing, so nothing jumps.
    """
    found: list[PriceTable] = []
    for price_list, title in titles.items():
        models = _narrowed(document["models"], price_list, "", "")
        shared = _columns(models)
        narrowed = _narrowed(models, price_list, search.casefold(), operation)
        if narrowed:
            found += _tables(narrowed, shared, title if len(titles) > 1 else "")
    return found


def agreed_prices(agreed: Agreed, account: BillingAccount) -> AgreedPrices | None:
    """What the page says of an account's agreements; None where there are none."""
    moment = now()
    shown = tuple(
        _agreed_price(offer, moment) for offer in agreed.offers if offer.row.status(moment) != "ended"
    )
    book = snapshot.current().book(account.profile, moment, account.mode)
    lock = agreed.lock(book, moment)
    return AgreedPrices(shown, lock) if shown or lock is not None else None


def _agreed_price(offer: AgreedOffer, moment: datetime) -> AgreedPrice:
    row = offer.row
    tier = row.tier(offer.quantity(max(moment, row.starts_at)))
    figures = "from the first tier on"
    if tier is not None:
        percent, price = tier
        figures = f"{decimal_to_text(percent)}% off" if price is None else f"{decimal_to_text(price)} each"
    covers = ", ".join([*row.only_models, *row.only_operations]) or "everything"
    return AgreedPrice(
        name=row.name,
        figures=figures,
        covers=covers,
        since=row.starts_at,
        until=row.last_moment(),
        tiers=tuple(_tier_text(entry) for entry in row.tiers),
        quantity=offer.quantity(moment),
        is_committed=row.committed is not None,
        is_planned=row.status(moment) == "planned",
        missing=0 if row.committed is None else missing_price(row, max(moment, row.starts_at)),
    )


def _tier_text(tier: dict[str, Any]) -> str:
    figure = f"{tier['price']} each" if "price" in tier else f"{tier['percent']}% off"
    return f"{figure} above {tier['above']:,}" if tier["above"] else figure


def _narrowed(models: list[Document], price_list: str, word: str, operation: str) -> list[Document]:
    narrowed = []
    for model in models:
        offers = [
            offer
            for offer in model["operations"]
            if offer["price_list"] == price_list
            and (not operation or offer["operation"] == operation)
            and (not word or word in f"{model['name']} {offer['name']} {model['tier']}".casefold())
        ]
        if offers:
            narrowed.append({**model, "operations": offers})
    return narrowed


def _tables(models: list[Document], shared: dict[str, str], title: str) -> list[PriceTable]:
    offered = {offer["operation"] for model in models for offer in model["operations"]}
    columns = {slug: name for slug, name in shared.items() if slug in offered}
    unit = models[0]["operations"][0]["unit"]
    tables = []
    in_matrix = [
        model for model in models if any(offer["operation"] in columns for offer in model["operations"])
    ]
    if in_matrix:
        rows = tuple(_row(model, tuple(columns)) for model in in_matrix)
        tables.append(PriceTable(title, unit, tuple(columns.values()), rows))
    for model in models:
        rest = [offer for offer in model["operations"] if offer["operation"] not in columns]
        if rest:
            rows = tuple(
                Row(offer["name"], "", (_cell(offer),), model["id"], offer["operation"]) for offer in rest
            )
            tables.append(PriceTable(model["name"], unit, (), rows))
    return tables


def _columns(models: list[Document]) -> dict[str, str]:
    """Slug → name of the operations that get a column."""
    names: dict[str, str] = {}
    offered: dict[str, int] = {}
    for model in models:
        for offer in model["operations"]:
            names[offer["operation"]] = offer["name"]
            offered[offer["operation"]] = offered.get(offer["operation"], 0) + 1
    if len(names) <= MOST_COLUMNS:
        return names
    often = sorted((slug for slug in names if offered[slug] > 1), key=lambda slug: -offered[slug])
    return {slug: names[slug] for slug in often[:MOST_COLUMNS]}


def _row(model: Document, columns: tuple[str, ...]) -> Row:
    offers = {offer["operation"]: offer for offer in model["operations"]}
    cells = tuple(_cell(offers[slug]) if slug in offers else None for slug in columns)
    tier = "" if model["tier"] == model["id"] else model["tier"] or ""
    return Row(model["name"], tier, cells, model["id"], description=model["description"])


def _cell(offer: Document) -> Cell:
    bounds, gate = offer["range"] or {}, offer["requires"]
    return Cell(
        operation=offer["name"],
        micros=_micros(offer["price"]),
        low=_micros(bounds.get("low")),
        high=_micros(bounds.get("high")),
        per=offer["per"],
        unit=offer["unit"],
        approximate=offer["approximate"],
        free=offer["free"],
        gate=gate["label"] if gate else "",
        gate_met=bool(gate and gate["met"]),
        available_from=_micros(offer["available_from"]),
        confirmation=offer["confirmation"],
        options=tuple(_option(option) for option in offer["modifiers"]),
        list_micros=_micros(offer.get("list_price")),
        monthly=(offer["monthly_limit"] or {}).get("text", ""),
        phases=tuple(_phase(phase) for phase in offer.get("phases", ())),
        less=", ".join(offer.get("offers", ())) if offer.get("phases") else "",
    )


def _phase(phase: Document) -> Phase:
    bounds = phase["range"] or {}
    return Phase(
        name=phase["name"],
        micros=_micros(phase["estimate"]),
        low=_micros(bounds.get("low")),
        high=_micros(bounds.get("high")),
        approximate=phase["approximate"],
        is_reserve=phase["only_reported"],
    )


def _option(option: Document) -> Option:
    times = option.get("times", "1")
    gate = option["requires"]
    return Option(
        name=option["name"] or _when(option["when"]),
        micros=_micros(option.get("price")),
        times="" if times == "1" else times,
        added=_micros(option.get("add")) or None,
        gate=gate["label"] if gate else "",
        approximate=option.get("approximate", False),
    )


def _when(when: Document) -> str:
    """What an option without a name is for: "resolution 2K or 4K"."""
    parts = []
    for name, allowed in when.items():
        if isinstance(allowed, list):
            parts.append(f"{name} {' or '.join(str(value) for value in allowed)}")
        else:
            low, high = allowed.get("min"), allowed.get("max")
            parts.append(
                f"{name} {low}–{high}"
                if low and high
                else f"{name} from {low}"
                if low
                else f"{name} to {high}"
            )
    return ", ".join(parts)


def _micros(text: str | None) -> int | None:
    """A price in micros; one that is finer is shown to the nearest micro."""
    if text is None:
        return None
    try:
        return parse_micros(text)
    except InvalidAmount:
        return to_micros(Decimal(text))
