"""The story of one transaction: what was asked, held and charged, by which prices, what came back, which grants paid."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.models import ApiKey
from billing.ledger import reports
from billing.ledger.models import Charge, Grant, GrantUse, Kind, Transaction
from billing.models import Invoice, Payment
from billing.selectors import story_links
from billing.selectors.story_links import Link, Prices, Undone
from billing.selectors.transactions import one
from catalog.pricing.units import parse_micros
from config.ids import public_id

SOURCES: dict[str, str] = {
    Grant.Source.TOPUP: "Top-up",
    Grant.Source.PLAN: "Plan credits",
    Grant.Source.BONUS: "Bonus",
    Grant.Source.TRIAL: "Trial",
    Grant.Source.ADMIN: "Added by support",
    Grant.Source.REFUND: "Refund",
}


WHY: dict[str, str] = {
    Kind.BONUS: "A gift; it moves no expiry of bought credits",
    Kind.TRIAL: "To try things out; it moves no expiry of bought credits",
    Kind.PLAN_GRANT: "The plan's credits for its period",
    Kind.EXPIRY: "Their time was over before they were used",
    Kind.RESET: "Plan credits that were left at the end of their period",
    Kind.ADJUSTMENT: "Posted by support",
    Kind.DISPUTE: "The bank gave the payment back to the card's holder",
}
"""What a transaction that is no piece of work means, by its kind."""
INVOICED = "Moved from the balance to an invoice; paying that moves nothing more"
INVOICE_VOID = "Moved back to the balance, as the invoice was voided"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened. ``micros`` is signed as the balance saw it; a hold is not signed."""

    title: str
    moment: datetime | None
    micros: int | None = None
    note: str = ""
    is_hold: bool = False
    current: bool = False
    earned: int | None = None
    """Micros that what was reported by then comes to."""


@dataclass(frozen=True, slots=True)
class PriceLine:
    what: str
    quantity: str
    unit_price: int
    micros: int


@dataclass(frozen=True, slots=True)
class Used:
    """What one grant gave (or got back, negative)."""

    source: str
    micros: int
    expires_at: datetime | None
    granted_at: datetime
    transaction: str


@dataclass(frozen=True, slots=True)
class Story:
    transaction: Transaction
    steps: list[Step]
    lines: list[PriceLine]
    estimate: list[PriceLine]
    """The lines of the estimate, where they are not those of the price."""
    whole: int | None
    """What the work cost, charged or not, in micros; None while it is not known."""
    uncollected: int
    """What of it the balance did not cover: not charged."""
    prices: Prices | None
    used: list[Used]
    grant: Grant | None
    payment: Payment | None
    undone: Undone | None
    invoice: Invoice | None
    reason: str
    link: Link
    facts: list[tuple[str, str]]


def story(account_id: uuid.UUID, transaction_id: uuid.UUID) -> Story | None:
    """The story of this account's transaction; None for anyone else's."""
    row = one(account_id, transaction_id)
    if row is None:
        return None
    charge = row.charge
    estimate = _lines(charge.estimate_lines) if charge else []
    lines = _priced(charge, estimate) if charge else []
    return Story(
        transaction=row,
        steps=_charge_steps(row, charge) if charge else [_single_step(row)],
        lines=lines,
        estimate=estimate if estimate != lines else [],
        whole=None if charge is None or charge.cost is None else charge.cost + charge.uncollected,
        uncollected=charge.uncollected if charge else 0,
        prices=story_links.prices(charge.price_book_id) if charge else None,
        used=_used(row.pk),
        grant=Grant.objects.filter(transaction_id=row.pk).first(),
        payment=story_links.payment(row) if row.kind in (Kind.TOPUP, Kind.AUTO_RECHARGE) else None,
        undone=None if charge else story_links.undone(row),
        invoice=None if charge else story_links.invoice(row),
        reason=str(row.details.get("reason") or ""),
        link=story_links.link(row.pk),
        facts=_facts(row),
    )


def _charge_steps(row: Transaction, charge: Charge) -> list[Step]:
    related = Transaction.objects.filter(
        Q(charge=charge, kind=Kind.USAGE) | Q(charge=charge, kind=Kind.REFUND), account_id=row.account_id
    ).order_by("seq")
    at_once = charge.finished_at == charge.authorized_at
    steps = []
    if not at_once:
        hold = reports.first_hold(charge.amount, charge.reports)
        why = "Set aside for the estimate"
        if charge.estimate is not None and charge.estimate != hold:
            why += " and what work like it lately cost above that"
        steps.append(Step("Held", charge.authorized_at, hold, why, is_hold=True))
        steps += [_report(one_of, charge) for one_of in charge.reports or ()]
    for one_of in related:
        if one_of.kind == Kind.USAGE:
            steps.append(_settled(one_of, charge, at_once, one_of.pk == row.pk))
        else:
            steps.append(
                Step(
                    "Refunded",
                    one_of.created_at,
                    one_of.amount,
                    str(one_of.details.get("reason") or ""),
                    current=one_of.pk == row.pk,
                )
            )
    return steps


def _report(report: reports.Report, charge: Charge) -> Step:
    """Phases that were reported while the rest went on, and what was held after."""
    phases = reports.phases([report])
    said = ", ".join(phase_words(phase, charge) for phase in phases)
    held = report["held"] - report["returned"]
    return Step("Reported", phases[0].at, held, said, is_hold=True, earned=report["cost"])


def phase_words(phase: reports.ReportedPhase, charge: Charge) -> str:
    """``HTML assembly (failed)``: a phase's id, written as the lines of the estimate write it."""
    name = phase.id.replace("-", " ")
    known = (str(line["what"]) for line in charge.estimate_lines)
    told = next((what for what in known if what.lower().startswith(name)), name.capitalize())
    ending = "" if phase.status == "succeeded" else f" ({phase.status})"
    return told[: len(name)] + ending


def _settled(usage: Transaction, charge: Charge, at_once: bool, current: bool) -> Step:
    if at_once:
        return Step("Charged on acceptance", usage.created_at, usage.amount, current=current)
    note = ". ".join(_remarks(charge))
    return Step("Settled", usage.created_at, usage.amount, note, current=current)


def _remarks(charge: Charge) -> list[str]:
    """How the settlement differs from what was held."""
    cost = (charge.cost or 0) + charge.uncollected
    if charge.reports and charge.reason == reports.TIMED_OUT:
        return ["Its time was over: what had been reported by then was charged"]
    remarks = ["The actual cost"]
    if cost > charge.amount:
        remarks.append("It was more than was held; the difference came from what else was available")
    elif cost < charge.amount:
        remarks.append("It was less than was held; the rest returned at once")
    if charge.uncollected:
        remarks.append("What the balance did not cover was not charged and will not be")
    if charge.finished_at is not None and charge.finished_at > charge.expires_at:
        remarks.append("It came late, after the hold's time was over")
    return remarks


def _single_step(row: Transaction) -> Step:
    why = WHY.get(row.kind, "")
    if row.kind == Kind.INVOICE:
        why = INVOICED if row.amount > 0 else INVOICE_VOID
    return Step(Kind(row.kind).label, row.created_at, row.amount, why, current=True)


def _priced(charge: Charge, estimate: list[PriceLine]) -> list[PriceLine]:
    """The lines of what was charged; none where the generation service named a cost of its own."""
    if charge.cost_lines is not None:
        return _lines(charge.cost_lines)
    whole = (charge.cost or 0) + charge.uncollected
    return estimate if sum(line.micros for line in estimate) == whole else []


def _lines(shown: list[dict[str, Any]]) -> list[PriceLine]:
    return [
        PriceLine(
            line["what"], line["quantity"], parse_micros(line["unit_price"]), parse_micros(line["amount"])
        )
        for line in shown
    ]


def _used(transaction_id: uuid.UUID) -> list[Used]:
    uses = GrantUse.objects.filter(transaction_id=transaction_id).select_related("grant")
    return [
        Used(
            SOURCES.get(use.grant.source, use.grant.source),
            use.amount,
            use.grant.expires_at,
            use.grant.created_at,
            public_id("txn", use.grant.transaction_id),
        )
        for use in uses
    ]


def _facts(row: Transaction) -> list[tuple[str, str]]:
    """Names and values that identify it, for support and the customer's own books; empty ones left out."""
    charge = row.charge
    key = (
        ApiKey.objects.filter(pk=row.api_key_id, account_id=row.account_id).first()
        if row.api_key_id
        else None
    )
    routing = charge.routing if charge else {}
    facts = [
        ("Transaction", row.public_id),
        ("Charge", public_id("ch", charge.pk) if charge else ""),
        ("Reference", row.reference),
        ("API key", f"{key.name} ({key.prefix}…{key.last4})" if key else ""),
        ("Asked for", _named(charge.parameters) if charge else ""),
        ("Delivered", _named(_but_phases(charge.outputs or {})) if charge else ""),
        ("Provider", routing.get("provider_name") or routing.get("provider") or ""),
        ("Ran as", routing.get("executed_model") or ""),
    ]
    return [(name, value) for name, value in facts if value]


def _but_phases(outputs: dict[str, Any]) -> dict[str, Any]:
    """Phases are lines of the price."""
    return {name: value for name, value in outputs.items() if name != "phases"}


def _named(values: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sorted(values.items()))
