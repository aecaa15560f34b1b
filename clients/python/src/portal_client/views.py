"""What each command prints for a person."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from portal_client.errors import PaymentRequired, PortalError
from portal_client.models import AutoRecharge, Balance, Estimate, Gate, SpendingLimit, Transaction
from portal_client.pricing import OperationPrice, Pricing
from portal_client.tables import Column, pairs, printable, table


def balance(answer: Balance) -> str:
    unit = _unit(answer.unit)
    rows = [
        ("Account", f"{answer.account} ({answer.mode})"),
        ("Balance", f"{amount(answer.balance)} {unit}"),
        ("Available", f"{amount(answer.available)} {unit}"),
        ("Held", f"{amount(answer.held)} {unit}"),
    ]
    if answer.credit_price is not None:
        rows.append(("Credit price", f"{amount(answer.credit_price.amount)} {answer.credit_price.currency}"))
    if answer.pricing:
        prices = ", ".join(f"{name} {amount(price)}" for name, price in answer.pricing.items())
        rows.append(("Prices", prices))
    if answer.auto_recharge is not None:
        rows.append(("Auto-recharge", _auto_recharge(answer.auto_recharge, unit)))
    if answer.spending_limit is not None:
        rows.append(("Spending limit", _spending_limit(answer.spending_limit)))
    text = pairs(rows)
    if answer.grants:
        grants = [
            (grant.source, amount(grant.remaining), _day(grant.expires_at) or "never")
            for grant in answer.grants
        ]
        columns = (Column("Credits from"), Column("Remaining", right=True), Column("Expire"))
        text += "\n\n" + table(columns, grants)
    return text


def usage(rows: Iterable[Transaction]) -> str:
    columns = (
        Column("Time (UTC)"),
        Column("Type"),
        Column("Amount", right=True),
        Column("Balance", right=True),
        Column("Description"),
    )
    lines = [
        (
            f"{row.created_at:%Y-%m-%d %H:%M:%S}",
            row.type,
            f"{'+' if row.amount > 0 else ''}{amount(row.amount)}",
            amount(row.balance_after),
            row.description,
        )
        for row in rows
    ]
    return table(columns, lines) if lines else "No transactions."


def pricing(answer: Pricing) -> str:
    columns = (
        Column("Model"),
        Column("Operation"),
        Column(f"Price ({answer.unit})", right=True),
        Column("Per"),
        Column("Needs"),
    )
    rows = [
        row
        for model in answer.models
        for price in model.operations
        for row in _price_rows(model.id, price, answer.unit)
    ]
    text = table(columns, rows) if rows else "Nothing is offered."
    notes = []
    if "≈" in text:
        notes.append("≈ approximate: the actual cost is known after the work is done.")
    notes += [
        f"{model.id} {price.operation}: {amount(price.list_price)} for others ({', '.join(price.offers)})."
        for model in answer.models
        for price in model.operations
        if price.list_price is not None
    ]
    if answer.locked_until is not None:
        notes.append(f"These prices are kept for you until {_day(answer.locked_until)}.")
    elif answer.next_change_at is not None:
        notes.append(f"The next change is on {_day(answer.next_change_at)}.")
    return "\n\n".join([text, "\n".join(map(printable, notes))]) if notes else text


def estimate(answer: Estimate) -> str:
    columns = (
        Column("What"),
        Column("Quantity", right=True),
        Column("Unit price", right=True),
        Column(f"Amount ({answer.unit})", right=True),
    )
    rows = [
        (line.what, amount(line.quantity), amount(line.unit_price), amount(line.amount))
        for line in answer.lines
    ]
    total = [("Estimate", f"{amount(answer.cost_estimate)} {_unit(answer.unit)}")]
    if answer.range is not None:
        total.append(("Range", f"{amount(answer.range.low)} to {amount(answer.range.high)}"))
    total.append(("Enough funds", "yes" if answer.sufficient else "no"))
    total.append(("Available after", amount(answer.available_after)))
    if answer.gate is not None:
        total += _gate(answer.gate)
    return (table(columns, rows) + "\n\n" if rows else "") + pairs(total)


def _gate(gate: Gate) -> list[tuple[str, str]]:
    """Why it is closed, what the plan counts of it, and whether it asks first."""
    rows = [] if gate.open else [("Not available", gate.reason or "a gate is closed")]
    if gate.monthly.get("limit") is not None:
        day = str(gate.monthly.get("resets_at", ""))[:10]
        rows.append(
            ("This month", f"{gate.monthly.get('used')} of {gate.monthly['limit']} used, anew on {day}")
        )
    if gate.confirmation:
        rows.append(("Confirmation", "needed: send confirm with the request"))
    return rows


def error(problem: PortalError) -> str:
    """One sentence, then what is wrong field by field, then the ways out."""
    lines = [f"portal: {printable(problem.detail)}"]
    lines += [f"  {printable(item.field)}: {printable(item.message)}" for item in problem.errors]
    if isinstance(problem, PaymentRequired):
        lines += [
            f"  {printable(remedy.code.replace('_', ' '))}: {printable(remedy.url)}"
            for remedy in problem.remedies
        ]
    if problem.retry_after is not None:
        lines.append(f"  Try again in {problem.retry_after:.0f} s.")
    return "\n".join(lines)


def amount(value: Decimal) -> str:
    """Plain digits, never an exponent."""
    return format(value, "f")


def _unit(unit: str) -> str:
    return "credits" if unit == "credit" else unit


def _day(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d}"


def _auto_recharge(rule: AutoRecharge, unit: str) -> str:
    if not rule.enabled:
        return "off"
    cap = "" if rule.monthly_cap is None else f", at most {amount(rule.monthly_cap)} a month"
    return f"below {amount(rule.threshold)} {unit}, {amount(rule.amount)} each time{cap}"


def _spending_limit(limit: SpendingLimit) -> str:
    if limit.limit is None:
        return "none"
    spent = "" if limit.spent is None else f"{amount(limit.spent)} of "
    resets = "" if limit.resets_at is None else f", resets {_day(limit.resets_at)}"
    return f"{spent}{amount(limit.limit)} {limit.currency or ''}".rstrip() + resets


def _price_rows(model: str, price: OperationPrice, unit: str) -> list[tuple[str, ...]]:
    """The price, and below it what changes it by the request."""
    rows: list[tuple[str, ...]] = [
        (model, price.operation, _price(price, unit), price.per, _requirement(price, unit))
    ]
    for modifier in price.modifiers:
        if isinstance(modifier, Mapping) and (change := _change(modifier)):
            requires = modifier.get("requires")
            label = requires.get("label", "") if isinstance(requires, Mapping) else ""
            rows.append(("", f"  {_option(modifier)}", change, "", str(label)))
    return rows


def _option(modifier: Mapping[str, object]) -> str:
    """The option's name, or else what it is for ("resolution 2K or 4K")."""
    name, when = modifier.get("name"), modifier.get("when")
    if isinstance(name, str) and name:
        return name
    said = when.items() if isinstance(when, Mapping) else ()
    return ", ".join(
        f"{what} {' or '.join(map(str, allowed)) if isinstance(allowed, list) else allowed}"
        for what, allowed in said
    )


def _change(modifier: Mapping[str, object]) -> str:
    """Another price, a factor or an addition, as the portal writes them."""
    if "price" in modifier:
        return ("≈ " if modifier.get("approximate") else "") + str(modifier["price"])
    times, add = str(modifier.get("times", "1")), str(modifier.get("add", "0"))
    return " ".join(([f"× {times}"] if times != "1" else []) + ([f"+ {add}"] if add != "0" else []))


def _price(price: OperationPrice, unit: str) -> str:
    """The unit is named only where it is not the list's own."""
    if price.price is not None:
        text = amount(price.price) if price.price else "free"
    elif price.range is not None:
        text = f"{amount(price.range.low)}–{amount(price.range.high)}"
    else:
        return "by request"
    own = "" if price.unit in (None, unit) or text == "free" else f" {price.unit}"
    return ("≈ " if price.approximate else "") + text + own


def _requirement(price: OperationPrice, unit: str) -> str:
    """The plan that opens it, as the portal labels it ("Pro+"), and the balance that does."""
    requires = price.requires
    label = requires.get("label") if isinstance(requires, dict) else requires
    needs = [label] if isinstance(label, str) else []
    if price.available_from is not None:
        needs.append(f"{amount(price.available_from)} {unit} available")
    return ", ".join(needs)
