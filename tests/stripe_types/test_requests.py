import pytest

from tests.stripe_types.checker import check_request

_PRICE = "line_items[0][price_data][currency]=eur&line_items[0][price_data][unit_amount]=2000"
_LINE = f"{_PRICE}&line_items[0][quantity]=1"


@pytest.mark.parametrize(
    ("method", "path", "form"),
    [
        (
            "POST",
            "/v1/payment_intents",
            "amount=1500&currency=eur&off_session=true&confirm=true&metadata[a]=b",
        ),
        (
            "POST",
            "/v1/checkout/sessions",
            f"mode=payment&success_url=x&{_LINE}&line_items[0][price_data][product_data][name]=T",
        ),
        ("POST", "/v1/subscriptions/sub_1", "items[0][id]=si_1&proration_behavior=always_invoice"),
        ("POST", "/v1/billing/meter_events", "event_name=calls&payload[value]=5&identifier=abc"),
        ("GET", "/v1/customers/cus_1", "expand[0]=tax_ids"),
        ("GET", "/v1/events", "created[gte]=1&types[0]=charge.refunded"),
        ("DELETE", "/v1/customers/cus_1", ""),
        ("POST", "/v1/customers/cus_1", "name=&metadata="),
    ],
)
def test_what_stripe_takes_passes(method: str, path: str, form: str) -> None:
    assert check_request(method, path, form) == []


@pytest.mark.parametrize(
    ("method", "path", "form", "said"),
    [
        ("POST", "/v1/payment_intents", "amount=1500&currency=eur&off_sesion=true", "off_sesion"),
        ("POST", "/v1/payment_intents", "currency=eur", "amount"),
        ("POST", "/v1/payment_intents", "amount=15.00&currency=eur", "Invalid integer"),
        ("POST", "/v1/payment_intents", "amount=1500&currency=eur&confirm=yes", "Invalid boolean"),
        ("POST", "/v1/checkout/sessions", "mode=topup", "mode"),
        ("POST", "/v1/checkout/sessions", "line_items[0][price_data][product_data][nme]=T", "line_items[0]"),
        ("POST", "/v1/subscriptions/sub_1", "proration_behavior=sometimes", "proration_behavior"),
        ("POST", "/v1/subscription_items/si_1/usage_records", "quantity=1", "no such operation"),
        ("GET", "/v1/invoices/upcoming", "customer=cus_1", "customer"),
        ("PUT", "/v1/customers/cus_1", "", "no such operation"),
    ],
)
def test_what_stripe_refuses_is_found(method: str, path: str, form: str, said: str) -> None:
    found = check_request(method, path, form)
    assert len(found) == 1
    assert said in found[0]
