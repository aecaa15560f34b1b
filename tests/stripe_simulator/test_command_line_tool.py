"""The calls that `stripe trigger EVENT` of Stripe's command-line tool makes, and the event it waits for."""

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.stripe_simulator.fixtures import API_KEY, Simulator

Step = tuple[str, str, dict[str, str]]

_CARD = {"amount": "100", "currency": "usd", "payment_method_types[]": "card", "confirm": "true"}
_PRODUCT: Step = ("POST", "/v1/products", {"name": "myproduct"})
_PRICE: Step = ("POST", "/v1/prices", {"product": "{0[id]}", "unit_amount": "1500", "currency": "usd"})
_SESSION: Step = (
    "POST",
    "/v1/checkout/sessions",
    {
        "mode": "payment",
        "success_url": "https://httpbin.org/post",
        "line_items[0][price]": "{1[id]}",
        "line_items[0][quantity]": "2",
    },
)
_CUSTOMER: Step = ("POST", "/v1/customers", {"description": "(created by Stripe CLI)"})
_ATTACH: Step = ("POST", "/v1/payment_methods/pm_card_visa/attach", {"customer": "{0[id]}"})
_DIRECT: Step = ("POST", "/v1/charges", {"source": "tok_visa", "amount": "100", "currency": "usd"})


def _intent(card: str = "pm_card_visa", **more: str) -> Step:
    return "POST", "/v1/payment_intents", _CARD | {"payment_method": card} | more


TRIGGERS: dict[str, list[Step]] = {
    "charge.captured": [
        ("POST", "/v1/charges", _DIRECT[2] | {"capture": "false"}),
        ("POST", "/v1/charges/{0[id]}/capture", {}),
    ],
    "charge.dispute.created": [_intent("pm_card_createDisputeInquiry")],
    "charge.dispute.updated": [
        _intent("pm_card_createDisputeInquiry"),
        ("GET", "/v1/disputes", {"payment_intent": "{0[id]}"}),
        ("POST", "/v1/disputes/{1[data][0][id]}", {"metadata[foo]": "bar"}),
    ],
    "charge.failed": [_intent("pm_card_visa_chargeDeclined")],
    "charge.refunded": [_intent(), ("POST", "/v1/refunds", {"payment_intent": "{0[id]}"})],
    "charge.refund.updated": [
        _DIRECT,
        ("POST", "/v1/refunds", {"charge": "{0[id]}"}),
        ("POST", "/v1/refunds/{1[id]}", {"metadata[order_id]": "6735"}),
    ],
    "charge.succeeded": [_DIRECT],
    "charge.updated": [_intent(), ("POST", "/v1/charges/{0[latest_charge]}", {"metadata[by]": "cli"})],
    "checkout.session.completed": [
        _PRODUCT,
        _PRICE,
        _SESSION,
        ("GET", "/v1/payment_pages/{2[id]}", {}),
        ("POST", "/v1/payment_methods", {"type": "card", "card[token]": "tok_visa"}),
        (
            "POST",
            "/v1/payment_pages/{3[id]}/confirm",
            {"payment_method": "{4[id]}", "expected_amount": "3000"},
        ),
    ],
    "checkout.session.expired": [
        _PRODUCT,
        _PRICE,
        _SESSION,
        ("POST", "/v1/checkout/sessions/{2[id]}/expire", {}),
    ],
    "customer.created": [_CUSTOMER],
    "customer.updated": [_CUSTOMER, ("POST", "/v1/customers/{0[id]}", {"metadata[foo]": "bar"})],
    "customer.deleted": [_CUSTOMER, ("DELETE", "/v1/customers/{0[id]}", {})],
    "customer.tax_id.created": [
        _CUSTOMER,
        ("POST", "/v1/customers/{0[id]}/tax_ids", {"type": "us_ein", "value": "000000000"}),
    ],
    "payment_intent.amount_capturable_updated": [_intent(capture_method="manual")],
    "payment_intent.canceled": [
        ("POST", "/v1/payment_intents", {"amount": "2000", "currency": "usd"}),
        ("POST", "/v1/payment_intents/{0[id]}/cancel", {"cancellation_reason": "requested_by_customer"}),
    ],
    "payment_intent.payment_failed": [_intent("pm_card_visa_chargeDeclined")],
    "payment_intent.requires_action": [_intent("pm_card_authenticationRequired")],
    "payment_intent.succeeded": [_intent()],
    "payment_method.attached": [_CUSTOMER, _ATTACH],
    "payment_method.detached": [
        _CUSTOMER,
        _ATTACH,
        ("POST", "/v1/payment_methods/{1[id]}/detach", {}),
    ],
    "price.updated": [_PRODUCT, _PRICE, ("POST", "/v1/prices/{1[id]}", {"metadata[foo]": "bar"})],
    "product.deleted": [_PRODUCT, ("DELETE", "/v1/products/{0[id]}", {})],
    "setup_intent.requires_action": [
        (
            "POST",
            "/v1/setup_intents",
            {
                "confirm": "true",
                "payment_method": "pm_card_authenticationRequired",
                "payment_method_types[]": "card",
            },
        )
    ],
}


@pytest.mark.parametrize("event", TRIGGERS)
def test_triggering_an_event_makes_it(clean_stripe: Simulator, event: str) -> None:
    answers: list[dict[str, Any]] = []
    for method, path, form in TRIGGERS[event]:
        text = urlencode({name: value.format(*answers) for name, value in form.items()})
        answer = clean_stripe.http.request(
            method,
            path.format(*answers),
            params=text if method == "GET" else None,
            content=None if method == "GET" else text.encode(),
            headers={
                "Authorization": f"Bearer {API_KEY}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        assert answer.status_code == (402 if "chargeDeclined" in text else 200), answer.text
        answers.append(answer.json())
    clean_stripe.wait_idle()
    assert event in [entry["event"]["type"] for entry in clean_stripe.events()]
