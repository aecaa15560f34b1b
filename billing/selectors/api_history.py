"""What the API shows of the past: the balance as of an instant, why it moved, monthly statements. Amounts are texts."""

from typing import Any

from accounts.models import BillingAccount
from billing.models import Statement
from billing.selectors.api import instant, transaction_body
from billing.selectors.as_of import Changes, Standing
from billing.selectors.statements import Month
from catalog.pricing.units import micros_to_text
from config.ids import public_id

Body = dict[str, Any]


def as_of_body(account_id: Any, standing: Standing) -> Body:
    """``GET /v1/balance?as_of=``."""
    return {
        "account": public_id("acct", account_id),
        "unit": standing.unit,
        "as_of": instant(standing.moment),
        "balance": micros_to_text(standing.balance),
        "held": micros_to_text(standing.held),
        "credit_limit": None if standing.credit_limit is None else micros_to_text(standing.credit_limit),
        "available": micros_to_text(standing.available),
        "transactions": standing.seq,
    }


def changes_body(account_id: Any, changes: Changes) -> Body:
    """``GET /v1/balance/changes``."""
    return {
        "account": public_id("acct", account_id),
        "unit": changes.closing.unit,
        "opening": as_of_body(account_id, changes.opening),
        "closing": as_of_body(account_id, changes.closing),
        "change": None if changes.micros is None else micros_to_text(changes.micros),
        "transactions": changes.count,
        "sums": [
            {
                "type": line.kind,
                "model": line.model or None,
                "transactions": line.count,
                "amount": micros_to_text(line.micros),
            }
            for line in changes.sums
        ],
        "largest": [transaction_body(row) for row in changes.largest],
    }


def statements_body(account: BillingAccount, months: list[Month]) -> Body:
    """``GET /v1/statements``: every month of the account, newest first."""
    return {"data": [_month(account, item) for item in months], "next_cursor": None}


def _month(account: BillingAccount, item: Month) -> Body:
    name = f"{item.month:%Y-%m}"
    files = (
        {} if item.statement is None else {kind: f"/v1/statements/{name}.{kind}" for kind in ("csv", "pdf")}
    )
    return {
        "month": name,
        "state": item.state,
        "unit": account.unit,
        **_figures(item.statement),
        "csv": files.get("csv"),
        "pdf": files.get("pdf"),
    }


def _figures(statement: Statement | None) -> Body:
    if statement is None:
        return dict.fromkeys(
            ("opening_balance", "closing_balance", "transactions", "head", "key", "signature")
        )
    return {
        "opening_balance": micros_to_text(statement.opening),
        "closing_balance": micros_to_text(statement.closing),
        "transactions": statement.rows,
        "head": bytes(statement.head).hex(),
        "key": statement.key_id,
        "signature": bytes(statement.signature).hex() or None,
    }
