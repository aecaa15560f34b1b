"""Balance transactions: what a movement did to the company's Stripe balance."""

from stripe_simulator.values import Json, new_id

_DAY = 86_400
_PENDING_DAYS = 2
DISPUTE_FEE = 1_500


def processing_fee(amount: int, currency: str) -> int:
    """2.9 % + 0.30 in dollars, else 1.5 % + 0.25, in minor units, rounded half up."""
    rate, fixed = (29, 30) if currency == "usd" else (15, 25)
    return (amount * rate + 500) // 1000 + fixed


def build(
    *,
    kind: str,
    amount: int,
    currency: str,
    source: str,
    now: int,
    fee: int = 0,
    description: str | None = None,
) -> Json:
    """`kind` is the type, and but for disputes the reporting category. Amounts are signed, in minor units."""
    details = [
        {
            "amount": fee,
            "application": None,
            "currency": currency,
            "description": "Stripe processing fees",
            "type": "stripe_fee",
        }
    ]
    return {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now + _PENDING_DAYS * _DAY,
        "balance_type": "payments",
        "created": now,
        "currency": currency,
        "description": description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": details if fee else [],
        "net": amount - fee,
        "reporting_category": "dispute" if kind == "adjustment" else kind,
        "source": source,
        "status": "pending",
        "type": kind,
    }
