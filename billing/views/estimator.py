"""The estimator: choose a model, an operation and its parameters, and see what one request would cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.timezone import now
from django.views.decorators.http import require_GET

from accounts.models import BillingAccount
from billing.errors import InvalidRequest, NotOffered
from billing.ledger import balances
from billing.selectors import identities, offers
from billing.selectors.identities import Identity
from billing.services import estimates, quotes
from billing.services.quotes import Priced, Wanted
from billing.views.htmx import htmx
from billing.views.pricing import frame, profile_of, text_of, viewer
from catalog import selectors, snapshot
from catalog.pricing.book import CompiledItem, Key
from catalog.pricing.types import ParameterSpec, Scalar
from catalog.pricing.units import decimal_to_text
from catalog.terms import Terms

Sold = dict[Key, CompiledItem]
PREFIX = "p_"
LONGEST_NUMBER = 24
"""Digits before or after the point; a number beyond is no size of anything, and writing it out takes for ever."""


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter as an input; ``text`` is what was typed."""

    name: str
    label: str
    kind: str
    text: str
    options: tuple[Option, ...]
    hint: str
    error: str
    low: str = ""
    high: str = ""
    step: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What it costs, and for a member whether they could have it now; or why there is no price."""

    priced: Priced | None = None
    refusal: str = ""
    available_after: int | None = None
    sufficient: bool = True
    gate: dict[str, Any] | None = None


@require_GET
def estimator(request: HttpRequest) -> HttpResponse:
    """The page, the form alone when the model or operation changes, or only the outcome while somebody types."""
    account = viewer(request)
    try:
        terms = selectors.terms(profile_of(request, account))
        customer = _customer(request, terms, account)
        book = offers.terms_of(customer.account_id, customer.profile, customer.mode, now()).book
    except snapshot.UnknownProfile as error:
        raise Http404("No prices are published") from error
    sold = snapshot.current().sold(book)
    item = _item(request, sold)
    given, wrong = _parameters(request, item)
    outcome, refused = _outcome(customer, item, given) if not wrong else (Outcome(), {})
    errors = {**wrong, **refused}
    body = {"model": item.spec.model, "operation": item.spec.operation, "parameters": given}
    context = {
        **frame(request, account, terms),
        "lists": [
            Option(entry.slug, entry.name, entry.slug == book.info.price_list) for entry in terms.price_lists
        ]
        if account is None and len(terms.price_lists) > 1
        else [],
        "models": _named({model: book.models[model] for model, _ in sold}, item.spec.model),
        "operations": _named(_operations(sold, item.spec.model), item.spec.operation),
        "fields": [_field(request, spec, errors.get(spec.name, "")) for spec in item.spec.parameters],
        "item": item.spec,
        "outcome": outcome,
        "lines": outcome.priced.lines() if outcome.priced is not None else [],
        "errors": errors,
        "body": orjson.dumps(body, default=_exact).decode(),
    }
    part = {"estimate": "_estimate", "estimate-outcome": "_estimate_outcome"}.get(htmx(request).target or "")
    return render(request, f"billing/{part or 'estimator'}.html", context)


def _customer(request: HttpRequest, terms: Terms, account: BillingAccount | None) -> Identity:
    """The account, or anybody who would pay by the price list asked for."""
    if account is not None:
        return identities.of_account(account)
    asked = text_of(request, "list")
    chosen = next((entry for entry in terms.price_lists if entry.slug == asked), terms.price_lists[0])
    return identities.anybody(terms.slug, chosen.modes[0], chosen.unit)


def _item(request: HttpRequest, sold: Sold) -> CompiledItem:
    """What is asked about; where the operation is not offered with the model, the model's first one.

    Raises Http404 where nothing is sold.
    """
    model, operation = text_of(request, "model"), text_of(request, "operation")
    if (found := sold.get((model, operation))) is not None:
        return found
    mine = (item for (slug, _), item in sold.items() if slug == model)
    first = next(mine, next(iter(sold.values()), None))
    if first is None:
        raise Http404("Nothing is offered at present")
    return first


def _operations(sold: Sold, model: str) -> dict[str, str]:
    return {operation: item.spec.operation_name for (slug, operation), item in sold.items() if slug == model}


def _named(names: Any, chosen: str) -> list[Option]:
    return [Option(slug, name, slug == chosen) for slug, name in names.items()]


def _parameters(request: HttpRequest, item: CompiledItem) -> tuple[dict[str, Scalar], dict[str, str]]:
    """What the form says, typed as a request would send it, and what cannot be read."""
    given: dict[str, Scalar] = {}
    wrong: dict[str, str] = {}
    for spec in item.spec.parameters:
        text = text_of(request, PREFIX + spec.name)
        if not text:
            continue
        if spec.type in ("integer", "number"):
            number = _number(text)
            if number is None:
                wrong[spec.name] = "Enter a number."
            else:
                given[spec.name] = number
        elif spec.type == "flag":
            given[spec.name] = text == "true"
        else:
            given[spec.name] = text
    return given, wrong


def _number(text: str) -> int | Decimal | None:
    try:
        number = Decimal(text.replace(",", "."))
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number.adjusted()) > LONGEST_NUMBER:
        return None
    return int(number) if number == number.to_integral_value() and abs(number) < 10**12 else number


def _outcome(
    customer: Identity, item: CompiledItem, given: dict[str, Scalar]
) -> tuple[Outcome, dict[str, str]]:
    wanted = Wanted(model=item.spec.model, operation=item.spec.operation, parameters=given)
    try:
        priced = quotes.price(customer, wanted)
    except NotOffered as refusal:
        return Outcome(refusal=refusal.detail), {}
    except InvalidRequest as refusal:
        told = {error["field"].partition(".")[2]: error["message"] for error in refusal.extra["errors"]}
        return Outcome(), {name: f"{message[:1].upper()}{message[1:]}" for name, message in told.items()}
    if customer.account_id is None:
        return Outcome(priced=priced), {}
    standing = balances.of(customer.account_id)
    state = estimates.gate_state(customer, priced, standing)
    return (
        Outcome(
            priced=priced,
            available_after=standing.available - priced.quote.micros,
            sufficient=estimates.covers(standing, priced),
            gate=state,
        ),
        {},
    )


def _field(request: HttpRequest, spec: ParameterSpec, error: str) -> Field:
    text = text_of(request, PREFIX + spec.name)
    default = _text(spec.default)
    kinds = {"choice": "select", "flag": "select", "integer": "number", "number": "number"}
    values: Sequence[str] = ("true", "false") if spec.type == "flag" else spec.choices
    names = {"true": "Yes", "false": "No"}
    options = [Option(value, names.get(value, value), value == (text or default)) for value in values]
    if default == "" and options:
        options.insert(0, Option("", "Not said", not text))
    hints = []
    if spec.type in ("integer", "number") and default:
        hints.append(f"{default} when left out")
    if spec.implied is not None:
        hints.append(f"follows {spec.implied.by.replace('_', ' ')} when left out")
    return Field(
        name=spec.name,
        label=spec.name.replace("_", " ").capitalize(),
        kind=kinds[spec.type],
        text=text,
        options=tuple(options),
        hint=", ".join(hints).capitalize(),
        error=error,
        low="" if spec.min is None else decimal_to_text(spec.min),
        high="" if spec.max is None else decimal_to_text(spec.max),
        step="1" if spec.type == "integer" else "any",
    )


def _text(value: Scalar | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return decimal_to_text(value)
    return "" if value is None else str(value)


def _exact(value: object) -> object:
    """JSON has one kind of number; a decimal is written as it was typed."""
    if isinstance(value, Decimal):
        return orjson.Fragment(decimal_to_text(value))
    raise TypeError
