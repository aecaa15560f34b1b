"""What the API shows, read for one account: standing, transactions, charges. Amounts are texts."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

import orjson
from django.db import connection
from django.db.models import Q

from billing.ledger import balances, reports
from billing.ledger.errors import NoSuchAccount
from billing.ledger.models import Charge, Kind, Transaction
from billing.models import AutoRecharge
from billing.selectors import cursors, subscriptions
from billing.selectors.identities import Identity
from billing.selectors.transactions import find, first_seq
from billing.selectors.usage import Use
from catalog import snapshot
from catalog.pricing.units import CREDIT, decimal_to_text, from_minor, micros_to_text, parse_micros
from catalog.terms import Terms
from config.ids import public_id

Body = dict[str, Any]
ON_CREDIT: Final = ("metered", "postpaid")
"""Modes that have a credit limit, be it 0."""

ROUTING: Final = ("provider", "provider_name", "executed_model", "upstream_id")
MOST_GRANTS: Final = 200
LAST_NUMBER: Final = 2**63 - 1

# One statement for everything GET /v1/balance shows, for any number of accounts.
# Grants come in the order in which they are used.
STANDING_SQL: Final = f"""
SELECT s.*, ledger_now(), (
       SELECT coalesce(jsonb_agg(jsonb_build_array(g.id, g.source, g.remaining, g.expires_at)), '[]')::text
         FROM (SELECT id, source, remaining, expires_at FROM ledger_grant lot
                WHERE account_id = s.account_id AND NOT is_spent AND coalesce(expires_at > ledger_now(), true)
                ORDER BY ledger_burn_rank(lot) LIMIT {MOST_GRANTS}) g),
       CASE WHEN r.account_id IS NOT NULL THEN jsonb_build_object(
            'enabled', r.enabled, 'threshold', r.threshold, 'amount', r.amount_minor, 'currency', r.currency,
            'monthly_cap', r.monthly_cap_minor,
            'paused', r.paused_at IS NOT NULL, 'pause_reason', r.pause_reason)::text END,
       CASE WHEN u.id IS NOT NULL THEN jsonb_build_object(
            'plan', u.plan, 'status', u.status, 'ends_at', u.period_ends_at, 'next_plan', u.next_plan,
            'cancel_at_end', u.cancel_at_end,
            'starts_at', (SELECT max(starts_at) FROM billing_subscriptionperiod WHERE subscription_id = u.id))::text END,
       (SELECT amount FROM billing_spendinglimit WHERE account_id = s.account_id AND mode = 'alert')
  FROM ({balances.READ_SQL})
       AS s (account_id, unit, balance, held, available, credit_limit, spend_limit, spent)
  LEFT JOIN billing_autorecharge r ON r.account_id = s.account_id
  LEFT JOIN billing_subscription u
    ON u.account_id = s.account_id AND u.status IN ('trialing', 'active', 'past_due', 'paused')
"""  # noqa: S608 - both parts are constants of this program

Row = tuple[Any, ...]


def standing(account_id: uuid.UUID) -> Row:
    """The row of STANDING_SQL for an account that has a balance."""
    with connection.cursor() as cursor:
        cursor.execute(STANDING_SQL, [[account_id]])
        row: Row | None = cursor.fetchone()
    if row is None:
        raise NoSuchAccount(str(account_id))
    return row


def auto_recharge(account_id: uuid.UUID) -> Mapping[str, Any] | None:
    """The account's auto-recharge settings as ``auto_recharge_body`` takes them."""
    row = AutoRecharge.objects.filter(pk=account_id).first()
    if row is None:
        return None
    return {
        "enabled": row.enabled,
        "threshold": row.threshold,
        "amount": row.amount_minor,
        "currency": row.currency,
        "monthly_cap": row.monthly_cap_minor,
        "paused": row.paused_at is not None,
        "pause_reason": row.pause_reason,
    }


def balance_body(row: Row, identity: Identity, terms: Terms) -> Body:
    """``GET /v1/balance`` from a row of STANDING_SQL."""
    account_id, unit, balance, held, available, credit_limit, spend_limit, spent, moment, *documents = row
    grants, recharge, subscription, alert = documents
    limit, mode = (spend_limit, "hard") if spend_limit is not None else (alert, "alert")
    price = None
    if unit == CREDIT and terms.credit_price is not None:
        price = {"amount": decimal_to_text(terms.credit_price), "currency": terms.credit_currency}
    return {
        "account": public_id("acct", account_id),
        "mode": identity.mode,
        "plan": identity.plan or None,
        "unit": unit,
        "balance": micros_to_text(balance),
        "available": micros_to_text(available),
        "held": micros_to_text(held),
        "credit_limit": micros_to_text(credit_limit) if credit_limit or identity.mode in ON_CREDIT else None,
        "credit_price": price,
        "grants": [_grant(*grant) for grant in orjson.loads(grants)],
        "pricing": dict(snapshot.current().headline(identity.profile, identity.mode)),
        "auto_recharge": auto_recharge_body(None if recharge is None else orjson.loads(recharge), terms),
        "spending_limit": None if limit is None else limit_body(unit, limit, mode, spent, moment),
        "subscription": subscriptions.body(None if subscription is None else orjson.loads(subscription)),
    }


def _grant(grant_id: str, source: str, remaining: int, expires_at: str | None) -> Body:
    return {
        "id": public_id("grant", uuid.UUID(grant_id)),
        "source": source,
        "remaining": micros_to_text(remaining),
        "expires_at": None if expires_at is None else instant(datetime.fromisoformat(expires_at)),
    }


def auto_recharge_body(settings: Mapping[str, Any] | None, terms: Terms) -> Body:
    """The account's auto-recharge; off, with the profile's figures, where it was never set.

    ``settings`` has the columns STANDING_SQL names, cash in the currency's smallest unit.
    """
    if settings is None:
        usual = terms.auto_recharge
        return {
            "enabled": False,
            "threshold": micros_to_text(usual.threshold if usual else 0),
            "amount": micros_to_text(usual.amount if usual else terms.topup.min),
            "monthly_cap": None
            if usual is None or usual.monthly_cap is None
            else micros_to_text(usual.monthly_cap),
            "currency": terms.cash_currency,
            "paused": False,
            "pause_reason": None,
        }
    currency, cap = settings["currency"], settings["monthly_cap"]
    return {
        "enabled": settings["enabled"],
        "threshold": micros_to_text(settings["threshold"]),
        "amount": str(from_minor(settings["amount"], currency)),
        "monthly_cap": None if cap is None else str(from_minor(cap, currency)),
        "currency": currency.upper(),
        "paused": settings["paused"],
        "pause_reason": settings["pause_reason"] or None,
    }


def limit_body(unit: str, limit: int | None, mode: str, spent: int, moment: datetime) -> Body:
    """A spending limit of a calendar month (UTC), with what was accepted in this one.

    ``mode`` says whether it stops requests (``hard``) or only tells people (``alert``).
    """
    return {
        "limit": None if limit is None else micros_to_text(limit),
        "mode": None if limit is None else mode,
        "currency": unit,
        "spent": micros_to_text(spent),
        "resets_at": instant(next_month(moment)),
    }


def next_month(moment: datetime) -> datetime:
    """Midnight UTC of the first of the next month."""
    moment = moment.astimezone(UTC)
    year, month = divmod(moment.year * 12 + moment.month, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def usage(
    account_id: uuid.UUID,
    *,
    kind: str | None = None,
    model: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Body:
    """A page of the account's transactions, newest first; ``since`` is included, ``until`` is not."""
    below = LAST_NUMBER if until is None else first_seq(account_id, until)
    if cursor is not None:
        below = min(below, cursors.number("t", cursor))
    oldest = 1 if since is None else first_seq(account_id, since)
    if model or kind == Kind.USAGE:
        kinds = () if kind is None else (kind,)
        found = find(account_id, below, oldest, model=model or "", kinds=kinds, most=limit + 1)
    else:
        rows = Transaction.objects.filter(account_id=account_id, seq__lt=below, seq__gte=oldest)
        if kind is not None:
            rows = rows.filter(~Q(kind=Kind.USAGE), kind=kind)  # the partial index of everything but usage
        found = list(rows.order_by("-seq")[: limit + 1])
    return cursors.page(found, limit, lambda row: cursors.of_number("t", row.seq), transaction_body)


def usage_summary_body(
    uses: Iterable[Use], unit: str, group: str, since: date, until: date, moment: datetime
) -> Body:
    """Use summed up by what it has in common, largest first; by day in their order."""
    sums: dict[str, list[int]] = {}
    for use in uses:
        name = use.day.isoformat() if group == "day" else use.names[0]
        mine = sums.setdefault(name, [0, 0, 0])
        for place, figure in enumerate((use.requests, use.used, use.net)):
            mine[place] += figure
    ordered = sums.items() if group == "day" else sorted(sums.items(), key=lambda one: (-one[1][1], one[0]))
    total = [sum(mine[place] for mine in sums.values()) for place in range(3)]
    return {
        "unit": unit,
        "group": group,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "as_of": instant(moment),
        **_sums(*total),
        "data": [{"id": _group_id(group, name), **_sums(*mine)} for name, mine in ordered],
    }


def _sums(requests: int, used: int, net: int) -> Body:
    return {
        "requests": requests,
        "charged": micros_to_text(used),
        "refunded": micros_to_text(used - net),
        "net": micros_to_text(net),
    }


def _group_id(group: str, name: str) -> str | None:
    """None is work that was asked for without a customer's key."""
    if group != "key":
        return name
    return public_id("key", uuid.UUID(name)) if name else None


def transaction_body(row: Transaction) -> Body:
    """One line of the history."""
    return {
        "id": row.public_id,
        "type": row.kind,
        "amount": micros_to_text(row.amount),
        "balance_after": micros_to_text(row.balance_after),
        "unit": row.unit,
        "description": row.description,
        "charge": None if row.charge_id is None else public_id("ch", row.charge_id),
        "model": row.model or None,
        "reference": row.reference or None,
        "created_at": instant(row.created_at),
    }


def charges(
    account_id: uuid.UUID | None, *, reference: str | None = None, cursor: str | None = None, limit: int = 50
) -> Body:
    """A page of charges, newest first: one account's, or everyone's for the company's own service."""
    rows = Charge.objects.order_by("-id")
    if account_id is not None:
        rows = rows.filter(account_id=account_id)
    if reference:
        rows = rows.filter(~Q(reference=""), reference=reference)
    if cursor is not None:
        rows = rows.filter(id__lt=cursors.identifier("c", cursor))
    found = list(rows[: limit + 1])
    return cursors.page(found, limit, lambda row: cursors.of_id("c", row.pk), charge_body)


def charge(charge_id: uuid.UUID, account_id: uuid.UUID | None) -> Body | None:
    """One charge, if it is this account's (or anyone's for the company's own service)."""
    row = Charge.objects.filter(pk=charge_id).first()
    if row is None or (account_id is not None and row.account_id != account_id):
        return None
    return charge_body(row)


def charge_body(row: Charge) -> Body:
    """Everything about a charge that its account may see."""
    is_open = row.status == Charge.Status.AUTHORIZED
    cost = reports.earned(row.reports) if is_open else row.cost
    return {
        "id": row.public_id,
        "status": row.status,
        "account": public_id("acct", row.account_id),
        "unit": row.unit,
        "model": row.model,
        "operation": row.operation,
        "description": row.description,
        "parameters": row.parameters,
        "metadata": {
            "cost_estimate": micros_to_text(row.amount if row.estimate is None else row.estimate),
            **({} if cost is None else {"cost": micros_to_text(cost)}),
            **{name: row.routing.get(name) for name in ROUTING},
        },
        "hold": micros_to_text(row.amount if is_open else 0),
        "refunded": micros_to_text(row.refunded),
        "uncollected": micros_to_text(row.uncollected),
        "reported": [
            {"id": phase.id, "status": phase.status, "reported_at": instant(phase.at)}
            for phase in reports.phases(row.reports)
        ],
        "lines": _charged_lines(row),
        "offers": row.estimate_lines[0].get("offers", []) if row.estimate_lines else [],
        "reference": row.reference or None,
        "reason": row.reason or None,
        "authorized_at": instant(row.authorized_at),
        "expires_at": instant(row.expires_at) if is_open else None,
        "finished_at": None if row.finished_at is None else instant(row.finished_at),
    }


def _charged_lines(row: Charge) -> list[dict[str, str]]:
    """The lines that add up to what the work cost, or what is reported of it, or to its estimate while that is all there is.

    Where the generation service named a cost of its own, that is the one line; what was voided has none.
    """
    if row.status == Charge.Status.VOIDED:
        return []
    if row.cost_lines is not None:
        return _lines(row.cost_lines)
    estimated = _lines(row.estimate_lines)
    whole = None if row.cost is None else row.cost + row.uncollected
    if (
        row.status == Charge.Status.AUTHORIZED
        or whole is None
        or sum(parse_micros(line["amount"]) for line in estimated) == whole
    ):
        return estimated
    text = micros_to_text(whole)
    return [{"what": "Actual cost", "quantity": "1", "unit_price": text, "amount": text}]


def _lines(kept: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Price lines without what only settling needs of them."""
    return [{name: value for name, value in line.items() if name != "offers"} for line in kept]


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC, with Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
