"""The story of one transaction: what was held, what it came to, what came back, which grants paid."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.models import ApiKey
from billing.ledger.models import Charge, Grant, GrantUse, Kind, Transaction
from billing.models import Payment
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


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened. ``micros`` is signed as the balance saw it; a hold is not signed."""

    title: str
    moment: datetime | None
    micros: int | None = None
    note: str = ""
    is_hold: bool = False
    current: bool = False


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


@dataclass(frozen=True, slots=True)
class Story:
    transaction: Transaction
    steps: list[Step]
    lines: list[PriceLine]
    used: list[Used]
    grant: Grant | None
    payment: Payment | None
    facts: list[tuple[str, str]]


def story(account_id: uuid.UUID, transaction_id: uuid.UUID) -> Story | None:
    """The story of this account's transaction; None for anyone else's."""
    row = one(account_id, transaction_id)
    if row is None:
        return None
    grant = Grant.objects.filter(transaction_id=row.pk).first()
    return Story(
        transaction=row,
        steps=_charge_steps(row, row.charge) if row.charge else [_single_step(row)],
        lines=_lines(row.charge) if row.charge else [],
        used=_used(row.pk),
        grant=grant,
        payment=_payment(row),
        facts=_facts(row),
    )


def _charge_steps(row: Transaction, charge: Charge) -> list[Step]:
    related = Transaction.objects.filter(
        Q(charge=charge, kind=Kind.USAGE) | Q(charge=charge, kind=Kind.REFUND), account_id=row.account_id
    ).order_by("seq")
    at_once = charge.finished_at == charge.authorized_at
    steps = []
    if not at_once:
        why = "Set aside for the estimate"
        if charge.estimate is not None:
            why += " and what work like it lately cost above that"
        steps.append(Step("Held", charge.authorized_at, charge.amount, why, is_hold=True))
    for one_of in related:
        if one_of.kind == Kind.USAGE:
            steps.append(_settled(one_of, charge, at_once, one_of.pk == row.pk))
        else:
            steps.append(
                Step("Refunded", one_of.created_at, one_of.amount, charge.reason, current=one_of.pk == row.pk)
            )
    return steps


def _settled(usage: Transaction, charge: Charge, at_once: bool, current: bool) -> Step:
    if at_once:
        return Step("Charged on acceptance", usage.created_at, usage.amount, current=current)
    note = "The actual cost"
    if charge.uncollected:
        note = "The actual cost, as far as the balance went; the rest is on the house"
    return Step("Settled", usage.created_at, usage.amount, note, current=current)


def _single_step(row: Transaction) -> Step:
    return Step(Kind(row.kind).label, row.created_at, row.amount, current=True)


def _lines(charge: Charge) -> list[PriceLine]:
    shown: list[dict[str, Any]] = (
        charge.cost_lines if charge.cost_lines is not None else charge.estimate_lines
    )
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
        )
        for use in uses
    ]


def _payment(row: Transaction) -> Payment | None:
    if row.kind not in (Kind.TOPUP, Kind.AUTO_RECHARGE):
        return None
    return Payment.objects.filter(transaction_id=row.pk, account_id=row.account_id).first()


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
        ("Parameters", _parameters(charge)),
        ("Provider", routing.get("provider_name") or routing.get("provider") or ""),
        ("Ran as", routing.get("executed_model") or ""),
    ]
    return [(name, value) for name, value in facts if value]


def _parameters(charge: Charge | None) -> str:
    if charge is None:
        return ""
    return ", ".join(
        f"{name} {value}" for name, value in sorted((charge.outputs or charge.parameters).items())
    )
