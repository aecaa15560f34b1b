"""Pure: the payment intent object, and what may be done to it in which status."""

from stripe_simulator.money import checked_charge, checked_currency
from stripe_simulator.values import Json, client_secret, new_id
from stripe_simulator.wire.errors import StripeError
from stripe_simulator.wire.merging import new_metadata, shipping

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
_CARD_OPTIONS = {
    "installments": None,
    "mandate_options": None,
    "network": None,
    "request_three_d_secure": "automatic",
}


def build(params: Json, now: int) -> Json:
    currency = checked_currency(params["currency"])
    amount = checked_charge(params["amount"], currency)
    intent_id = new_id("pi")
    automatic = automatic_methods(params)
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": automatic,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.get("capture_method") or "automatic_async",
        "client_secret": client_secret(intent_id),
        "confirmation_method": params.get("confirmation_method") or "automatic",
        "created": now,
        "currency": currency,
        "customer": params.get("customer"),
        "customer_account": None,
        "description": params.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": new_metadata(params),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": {"id": "pmc_1SimulatorDefault00000000", "parent": None}
        if automatic
        else None,
        "payment_method_options": method_options(params.get("payment_method_options")),
        "payment_method_types": params.get("payment_method_types") or ["card"],
        "processing": None,
        "receipt_email": params.get("receipt_email"),
        "review": None,
        "setup_future_usage": params.get("setup_future_usage"),
        "shipping": shipping(params.get("shipping"), with_carrier=True),
        "source": None,
        "statement_descriptor": params.get("statement_descriptor"),
        "statement_descriptor_suffix": params.get("statement_descriptor_suffix"),
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": params.get("transfer_group"),
    }


def automatic_methods(params: Json) -> Json | None:
    """On by default, unless the caller names the payment method types. Source: API 2023-08-16."""
    given = params.get("automatic_payment_methods")
    if given:
        if not given["enabled"]:
            return None
        return {"allow_redirects": given.get("allow_redirects") or "always", "enabled": True}
    if params.get("payment_method_types") is not None:
        return None
    return {"allow_redirects": "always", "enabled": True}


def method_options(given: Json | None, before: Json | None = None) -> Json:
    card = (given or {}).get("card") or {}
    known = (before or {}).get("card") or _CARD_OPTIONS
    return {"card": known | {name: value for name, value in card.items() if name in _SHOWN_CARD_OPTIONS}}


_SHOWN_CARD_OPTIONS = (
    "capture_method",
    "network",
    "request_extended_authorization",
    "request_incremental_authorization",
    "request_multicapture",
    "request_overcapture",
    "request_three_d_secure",
    "setup_future_usage",
)


def unexpected_state(intent: Json, message: str) -> StripeError:
    kind = "setup_intent" if intent["object"] == "setup_intent" else "payment_intent"
    return StripeError(message, code=f"{kind}_unexpected_state", extra={kind: intent})
