"""Stripe behind the gateway's protocol, with the official client. The only outgoing Stripe calls are here.

The client retries nothing itself: whoever asks knows whether asking again is safe, and does so with the same
idempotency key.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any, Final

import stripe

from billing.gateways.protocol import (
    Card,
    CardOrder,
    CheckoutOrder,
    Endpoint,
    HostedPage,
    Missing,
    Outcome,
    Rejected,
    ReversalState,
    SetupResult,
    Standing,
    Tax,
    Unreachable,
    Wallet,
)
from billing.gateways.stripe_errors import named_errors
from billing.gateways.stripe_read import (
    checkout_standing,
    id_of,
    intent_standing,
    reversal_state,
)

CONNECT_SECONDS: Final = 5
EXPAND_INTENT: Final = ["latest_charge"]
EXPAND_CHECKOUT: Final = ["payment_intent.latest_charge"]
LOOK_BACK: Final = 1000
"""How many of a customer's latest objects are searched for a lost one."""


class StripeGateway:
    """One Stripe account, by its secret key. ``base_address`` points to a stand-in; None is Stripe itself."""

    def __init__(
        self, *, api_key: str, api_version: str, base_address: str | None, answer_seconds: int
    ) -> None:
        options: dict[str, Any] = {"base_addresses": {"api": base_address}} if base_address else {}
        self._api_version = api_version
        self._stripe = stripe.StripeClient(
            api_key,
            stripe_version=api_version,
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=(CONNECT_SECONDS, answer_seconds)),
            **options,
        ).v1

    # Customers and their cards

    def create_customer(self, *, key: str, account: str, email: str, name: str) -> str:
        with named_errors():
            customer = self._stripe.customers.create(
                {"email": email, "name": name, "metadata": {"account": account}}, {"idempotency_key": key}
            )
        return customer.id

    def delete_customer(self, customer_id: str) -> None:
        """Delete a customer with its cards for good; one that is gone already is fine."""
        with suppress(Missing), named_errors():
            self._stripe.customers.delete(customer_id)

    def wallet(self, customer_id: str) -> Wallet:
        try:
            with named_errors():
                customer = self._stripe.customers.retrieve(customer_id).to_dict()
        except Missing:
            return Wallet(exists=False)
        if customer.get("deleted"):
            return Wallet(exists=False)
        with named_errors():
            methods = self._stripe.customers.payment_methods.list(customer_id, {"type": "card", "limit": 100})
            cards = tuple(_card(method.to_dict()) for method in methods.auto_paging_iter())
        settings = customer.get("invoice_settings") or {}
        return Wallet(cards=cards, default_id=id_of(settings.get("default_payment_method")))

    def set_default_card(self, customer_id: str, method_id: str) -> None:
        with named_errors():
            self._stripe.customers.update(
                customer_id, {"invoice_settings": {"default_payment_method": method_id}}
            )

    def detach_card(self, method_id: str) -> None:
        """Forget a card. One that is gone already is fine."""
        try:
            with named_errors():
                self._stripe.payment_methods.detach(method_id)
        except Missing:
            return
        except Rejected:
            with named_errors():
                method = self._stripe.payment_methods.retrieve(method_id)
            if method.customer is not None:
                raise

    # Hosted pages

    def create_checkout(self, order: CheckoutOrder) -> Standing:
        metadata = {"payment": order.reference, **order.notes}
        params: stripe.params.checkout.SessionCreateParams = {
            "mode": "payment",
            "customer": order.customer_id,
            "client_reference_id": order.reference,
            "metadata": metadata,
            "payment_method_types": ["card"],
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": order.currency.lower(),
                        "unit_amount": order.amount_minor,
                        "tax_behavior": "inclusive" if order.tax is Tax.INCLUSIVE else "exclusive",
                        "product_data": {"name": order.title},
                    },
                }
            ],
            "payment_intent_data": {
                "setup_future_usage": "off_session",
                "metadata": metadata,
                "description": order.title,
            },
            "success_url": order.success_url,
            "cancel_url": order.cancel_url,
        }
        if order.tax is not Tax.NONE:
            params["automatic_tax"] = {"enabled": True}
            params["customer_update"] = {"address": "auto", "name": "auto"}
            params["tax_id_collection"] = {"enabled": True}
        with named_errors():
            session = self._stripe.checkout.sessions.create(params, {"idempotency_key": order.key})
        return checkout_standing(session.to_dict())

    def checkout(self, checkout_id: str) -> Standing:
        with named_errors():
            session = self._stripe.checkout.sessions.retrieve(checkout_id, {"expand": EXPAND_CHECKOUT})
        return checkout_standing(session.to_dict())

    def expire_checkout(self, checkout_id: str) -> None:
        """Close a page that was not used; one that is closed already stays as it is."""
        with suppress(Rejected), named_errors():
            self._stripe.checkout.sessions.expire(checkout_id)

    def create_setup(
        self, *, key: str, account: str, customer_id: str, currency: str, success_url: str, cancel_url: str
    ) -> HostedPage:
        with named_errors():
            session = self._stripe.checkout.sessions.create(
                {
                    "mode": "setup",
                    "customer": customer_id,
                    "currency": currency.lower(),
                    "payment_method_types": ["card"],
                    "metadata": {"account": account},
                    "success_url": success_url,
                    "cancel_url": cancel_url,
                },
                {"idempotency_key": key},
            )
        if not session.url:
            raise Unreachable("the setup page came without an address")
        return HostedPage(id=session.id, url=session.url)

    def setup_result(self, checkout_id: str) -> SetupResult:
        with named_errors():
            session = self._stripe.checkout.sessions.retrieve(
                checkout_id, {"expand": ["setup_intent"]}
            ).to_dict()
        setup = session.get("setup_intent")
        saved = isinstance(setup, dict) and setup.get("status") == "succeeded"
        return SetupResult(
            customer_id=id_of(session.get("customer")) or "",
            method_id=id_of(setup.get("payment_method")) if saved and isinstance(setup, dict) else None,
        )

    # Charging a saved card

    def charge_card(self, order: CardOrder) -> Standing:
        """Charge now. A decline or a bank that wants the customer is an outcome, not an error."""
        params: stripe.params.PaymentIntentCreateParams = {
            "amount": order.amount_minor,
            "currency": order.currency.lower(),
            "customer": order.customer_id,
            "payment_method": order.method_id,
            "payment_method_types": ["card"],
            "confirm": True,
            "description": order.title,
            "metadata": {"payment": order.reference, **order.notes},
            "expand": EXPAND_INTENT,
        }
        if order.return_url is None:
            params["off_session"] = True
        else:
            params["return_url"] = order.return_url
        try:
            with named_errors():
                intent = self._stripe.payment_intents.create(params, {"idempotency_key": order.key})
        except stripe.CardError as error:
            return _declined(error, order)
        return intent_standing(intent.to_dict())

    def intent(self, intent_id: str) -> Standing:
        with named_errors():
            found = self._stripe.payment_intents.retrieve(intent_id, {"expand": EXPAND_INTENT})
        return intent_standing(found.to_dict())

    def cancel_intent(self, intent_id: str) -> None:
        """Make sure an intent can no longer be paid; one that is final already stays as it is."""
        with suppress(Rejected), named_errors():
            self._stripe.payment_intents.cancel(intent_id)

    # Looking for what got lost

    def find_intent(self, *, customer_id: str, reference: str, since: datetime) -> Standing | None:
        """The intent of one payment, by the reference we sent along; lists are exact where search lags."""
        with named_errors():
            intents = self._stripe.payment_intents.list(
                {"customer": customer_id, "created": {"gte": int(since.timestamp())}, "limit": 100}
            )
            for intent in islice(intents.auto_paging_iter(), LOOK_BACK):
                if intent_standing(intent.to_dict()).reference == reference:
                    return self.intent(intent.id)
        return None

    def find_checkout(self, *, customer_id: str, reference: str, since: datetime) -> Standing | None:
        with named_errors():
            sessions = self._stripe.checkout.sessions.list(
                {"customer": customer_id, "created": {"gte": int(since.timestamp())}, "limit": 100}
            )
            for session in islice(sessions.auto_paging_iter(), LOOK_BACK):
                if session.client_reference_id == reference:
                    return self.checkout(session.id)
        return None

    def recent_intents(self, since: datetime) -> Iterator[Standing]:
        """Every intent created since then, newest first."""
        with named_errors():
            intents = self._stripe.payment_intents.list(
                {"created": {"gte": int(since.timestamp())}, "limit": 100}
            )
            for intent in intents.auto_paging_iter():
                yield intent_standing(intent.to_dict())

    # Money that goes back

    def refund(self, *, key: str, intent_id: str, amount_minor: int) -> ReversalState:
        with named_errors():
            refund = self._stripe.refunds.create(
                {"payment_intent": intent_id, "amount": amount_minor, "reason": "requested_by_customer"},
                {"idempotency_key": key},
            )
        return reversal_state(refund.to_dict())

    def refund_state(self, refund_id: str) -> ReversalState:
        with named_errors():
            return reversal_state(self._stripe.refunds.retrieve(refund_id).to_dict())

    def refunds_of(self, charge_id: str) -> tuple[ReversalState, ...]:
        with named_errors():
            refunds = self._stripe.refunds.list({"charge": charge_id, "limit": 100})
            return tuple(reversal_state(refund.to_dict()) for refund in refunds.auto_paging_iter())

    def dispute_state(self, dispute_id: str) -> ReversalState:
        with named_errors():
            return reversal_state(self._stripe.disputes.retrieve(dispute_id).to_dict())

    # Where events go

    def create_endpoint(self, *, url: str, events: list[str], metadata: dict[str, str]) -> Endpoint:
        # The client types event names and versions as literals; ours come from a table and a setting.
        params: Any = {"url": url, "enabled_events": events, "metadata": metadata}
        params["api_version"] = self._api_version
        with named_errors():
            made = self._stripe.webhook_endpoints.create(params)
        return Endpoint(id=made.id, secret=made.secret or "")

    def update_endpoint(self, endpoint_id: str, *, url: str, events: list[str]) -> None:
        params: Any = {"url": url, "enabled_events": events, "disabled": False}
        with named_errors():
            self._stripe.webhook_endpoints.update(endpoint_id, params)


def _card(method: dict[str, Any]) -> Card:
    card = method["card"]
    return Card(
        id=method["id"],
        brand=card["brand"],
        last4=card["last4"],
        exp_month=card["exp_month"],
        exp_year=card["exp_year"],
    )


def _declined(error: stripe.CardError, order: CardOrder) -> Standing:
    """The intent that comes with a refused charge; without one nothing was created and the charge failed."""
    body: dict[str, Any] = error.json_body if isinstance(error.json_body, dict) else {}
    details: dict[str, Any] = body.get("error") or {}
    intent = details.get("payment_intent")
    if isinstance(intent, dict):
        return intent_standing(intent)
    return Standing(
        outcome=Outcome.FAILED,
        amount_minor=order.amount_minor,
        currency=order.currency,
        customer_id=order.customer_id,
        reference=order.reference,
        failure_code=details.get("decline_code") or error.code or "card_error",
        failure_message=error.user_message or "",
    )
