import re
from typing import Any

import httpx
import pytest
import stripe

from tests.stripe_simulator.fixtures import Simulator
from tests.stripe_simulator.reading import plain

SUCCESS = "http://shop.example/return?session={CHECKOUT_SESSION_ID}"
CANCEL = "http://shop.example/credits"


def start(client: stripe.StripeClient, **params: Any) -> stripe.checkout.Session:
    """A session for one line of 25.00 USD."""
    line = {
        "price_data": {"currency": "usd", "unit_amount": 2500, "product_data": {"name": "250 credits"}},
        "quantity": 1,
    }
    wanted = {"mode": "payment", "success_url": SUCCESS, "cancel_url": CANCEL, "line_items": [line]} | params
    return client.v1.checkout.sessions.create(wanted)  # type: ignore[arg-type]


def page_of(session: stripe.checkout.Session) -> str:
    assert session.url
    return session.url


def found(client: stripe.StripeClient, session: stripe.checkout.Session, *expand: str) -> dict[str, Any]:
    return plain(client.v1.checkout.sessions.retrieve(session.id, {"expand": list(expand)}))


def paid(answer: httpx.Response, session: stripe.checkout.Session) -> bool:
    wanted = f"http://shop.example/return?session={session.id}"
    return answer.status_code == 303 and answer.headers["location"] == wanted


def test_paying_completes_the_session(
    simulator: Simulator, client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    session = start(
        client,
        customer=customer.id,
        client_reference_id="pay_1",
        metadata={"payment": "pay_1"},
        payment_intent_data={"setup_future_usage": "off_session", "metadata": {"payment": "pay_1"}},
    )
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    assert plain(session)["customer_details"]["email"] == "ada@example.com"
    assert paid(simulator.pay(page_of(session)), session)
    done = found(client, session, "payment_intent.latest_charge", "line_items")
    assert (done["status"], done["payment_status"], done["url"]) == ("complete", "paid", None)
    assert (done["amount_total"], done["currency"], done["client_reference_id"]) == (2500, "usd", "pay_1")
    intent = done["payment_intent"]
    assert (intent["status"], intent["metadata"], intent["customer"]) == (
        "succeeded",
        {"payment": "pay_1"},
        customer.id,
    )
    assert done["line_items"]["data"][0]["description"] == "250 credits"
    saved = client.v1.customers.payment_methods.list(customer.id).data
    assert [card.id for card in saved] == [intent["payment_method"]]
    off_session = client.v1.payment_intents.create(
        {
            "amount": 2500,
            "currency": "usd",
            "customer": customer.id,
            "payment_method": saved[0].id,
            "off_session": True,
            "confirm": True,
        }
    )
    assert off_session.status == "succeeded"


def test_events_of_a_paid_session_come_in_stripes_order(
    simulator: Simulator, client: stripe.StripeClient
) -> None:
    session = start(client)
    simulator.pay(page_of(session))
    simulator.wait_idle()
    kinds = [entry["event"]["type"] for entry in simulator.events()]
    assert kinds == [
        "product.created",
        "price.created",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
        "charge.updated",
    ]


def test_a_decline_is_said_on_the_page_and_keeps_what_was_typed(
    simulator: Simulator, client: stripe.StripeClient
) -> None:
    session = start(client)
    answer = simulator.pay(page_of(session), "4000000000009995", name="Ada <b>")
    assert answer.status_code == 402
    assert "Your card has insufficient funds." in answer.text
    assert 'value="Ada &lt;b&gt;"' in answer.text
    assert 'value="4000000000009995"' in answer.text
    assert found(client, session)["status"] == "open"
    assert paid(simulator.pay(page_of(session)), session)
    intents = client.v1.payment_intents.list().data
    assert [intent.status for intent in intents] == ["succeeded"]
    assert len(client.v1.charges.list({"payment_intent": intents[0].id}).data) == 2


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"card_number": "4242"}, "card_number"),
        ({"card_number": ""}, "card_number"),
        ({"expiry": "13/34"}, "expiry"),
        ({"expiry": "soon"}, "expiry"),
        ({"expiry": "01/20"}, "expiry"),
        ({"cvc": ""}, "cvc"),
        ({"cvc": "12x"}, "cvc"),
    ],
)
def test_a_mistyped_card_is_marked_at_its_field(
    simulator: Simulator, client: stripe.StripeClient, fields: dict[str, str], field: str
) -> None:
    session = start(client)
    answer = simulator.http.post(
        page_of(session), data={"card_number": "4242424242424242", "expiry": "12/34", "cvc": "123"} | fields
    )
    assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', answer.text)
    assert client.v1.payment_intents.list().data == []


def test_3d_secure_is_asked_for_and_leads_back(simulator: Simulator, client: stripe.StripeClient) -> None:
    session = start(client)
    page = simulator.pay(page_of(session), "4000002760003184").headers["location"]
    assert found(client, session)["status"] == "open"
    back = simulator.authenticate(page, passed=False)
    assert back.headers["location"] == session.url
    assert "unable to authenticate" in simulator.http.get(page_of(session)).text
    page = simulator.pay(page_of(session), "4000002760003184").headers["location"]
    assert paid(simulator.authenticate(page), session)
    assert found(client, session)["payment_status"] == "paid"


def test_a_paid_session_is_not_paid_twice(simulator: Simulator, client: stripe.StripeClient) -> None:
    session = start(client)
    for _ in range(3):
        assert paid(simulator.pay(page_of(session)), session)
    assert paid(simulator.http.get(page_of(session)), session)
    assert len(client.v1.charges.list().data) == 1


def test_setup_mode_saves_a_card_without_charging(
    simulator: Simulator, client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    session = client.v1.checkout.sessions.create(
        {"mode": "setup", "currency": "usd", "customer": customer.id, "success_url": SUCCESS}
    )
    page = simulator.http.get(page_of(session)).text
    assert "Save card" in page
    assert "ada@example.com" in page
    assert paid(simulator.pay(page_of(session)), session)
    done = found(client, session, "setup_intent")
    assert (done["status"], done["payment_status"]) == ("complete", "no_payment_required")
    assert done["setup_intent"]["status"] == "succeeded"
    saved = client.v1.customers.payment_methods.list(customer.id).data
    assert [card.id for card in saved] == [done["setup_intent"]["payment_method"]]
    assert client.v1.charges.list().data == []


def test_a_saved_card_is_offered_when_the_session_allows_it(
    simulator: Simulator, client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    card = client.v1.payment_methods.attach("pm_card_mastercard", {"customer": customer.id})
    hidden = start(client, customer=customer.id)
    assert "ending in 4444" not in simulator.http.get(page_of(hidden)).text
    allowed = {"allow_redisplay_filters": ["always", "limited", "unspecified"]}
    session = start(client, customer=customer.id, saved_payment_method_options=allowed)
    assert "Mastercard ending in 4444" in simulator.http.get(page_of(session)).text
    answer = simulator.http.post(page_of(session), data={"payment_method": card.id})
    assert paid(answer, session)
    assert found(client, session, "payment_intent")["payment_intent"]["payment_method"] == card.id


def test_a_foreign_saved_card_is_not_taken(
    simulator: Simulator, client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    other = client.v1.customers.create({})
    card = client.v1.payment_methods.attach("pm_card_visa", {"customer": other.id})
    session = start(client, customer=customer.id)
    assert "cannot be used" in simulator.http.post(page_of(session), data={"payment_method": card.id}).text
    assert client.v1.charges.list().data == []


def test_a_guest_gets_a_customer_only_when_one_is_needed(
    simulator: Simulator, client: stripe.StripeClient
) -> None:
    guest = start(client)
    simulator.pay(page_of(guest))
    assert found(client, guest)["customer"] is None
    assert found(client, guest)["customer_details"]["email"] == "payer@example.com"
    kept = start(client, customer_creation="always")
    simulator.pay(page_of(kept), name="Bea")
    made = client.v1.customers.retrieve(found(client, kept)["customer"])
    assert (made.email, made.name) == ("payer@example.com", "Bea")


def test_vat_is_added_for_the_customers_country(
    simulator: Simulator, client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    session = start(client, automatic_tax={"enabled": True})
    assert found(client, session)["automatic_tax"]["status"] == "requires_location_inputs"
    simulator.pay(page_of(session), country="DE")
    done = found(client, session, "payment_intent")
    assert (done["amount_subtotal"], done["amount_total"]) == (2500, 2975)
    assert done["total_details"]["amount_tax"] == 475
    assert done["payment_intent"]["amount"] == 2975
    client.v1.customers.update(customer.id, {"address": {"country": "AT"}})
    known = start(client, customer=customer.id, automatic_tax={"enabled": True})
    assert (known.amount_total, plain(known)["automatic_tax"]["status"]) == (3000, "complete")
    assert "Pay $30.00" in simulator.http.get(page_of(known)).text
    client.v1.customers.update(customer.id, {"tax_exempt": "reverse"})
    assert start(client, customer=customer.id, automatic_tax={"enabled": True}).amount_total == 2500


def test_an_expired_session_cannot_be_paid(simulator: Simulator, client: stripe.StripeClient) -> None:
    session = start(client)
    ended = client.v1.checkout.sessions.expire(session.id)
    assert (ended.status, ended.url) == ("expired", None)
    assert simulator.pay(page_of(session)).status_code == 410
    assert client.v1.charges.list().data == []
    with pytest.raises(stripe.InvalidRequestError, match=r'status in \["open"\]'):
        client.v1.checkout.sessions.expire(session.id)


@pytest.mark.parametrize("mode", ["payment", "setup"])
def test_a_3d_secure_page_left_open_pays_nothing_once_the_session_expired(
    simulator: Simulator, client: stripe.StripeClient, customer: stripe.Customer, mode: str
) -> None:
    setup = {"mode": "setup", "currency": "usd", "customer": customer.id, "success_url": SUCCESS}
    paying = mode == "payment"
    session = start(client) if paying else client.v1.checkout.sessions.create(setup)  # type: ignore[arg-type]
    page = simulator.pay(page_of(session), "4000002760003184").headers["location"]
    client.v1.checkout.sessions.expire(session.id)
    simulator.authenticate(page)
    intent = found(client, session, f"{mode}_intent")[f"{mode}_intent"]
    assert (intent["status"], found(client, session)["status"]) == ("canceled", "expired")
    assert client.v1.charges.list().data == []
    assert client.v1.customers.payment_methods.list(customer.id).data == []


def test_a_session_expires_by_itself_after_a_day(simulator: Simulator, client: stripe.StripeClient) -> None:
    session = start(client)
    simulator.advance(86_401)
    assert found(client, session)["status"] == "expired"
    assert client.v1.events.list({"type": "checkout.session.expired"}).data


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"mode": None}, "mode"),
        ({"mode": "topup"}, "mode"),
        ({"line_items": None}, "line_items"),
        ({"success_url": None}, "success_url"),
        ({"success_url": "javascript:alert(1)"}, "success_url"),
        ({"customer": "cus_none"}, "customer"),
        ({"line_items": [{"price": "price_none", "quantity": 1}]}, "line_items[0][price]"),
        ({"expires_at": 1}, "expires_at"),
    ],
)
def test_wrong_parameters_are_named(client: stripe.StripeClient, change: dict[str, Any], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        start(client, **change)
    assert refused.value.param == param
    assert client.v1.checkout.sessions.list().data == []


def test_the_mirror_may_expand_all_it_wants(client: stripe.StripeClient) -> None:
    """The expansions that dj-stripe asks for, and a path through an object that is there whole."""
    session = start(client)
    wanted = ["line_items", "total_details.breakdown", "line_items.data.discounts"]
    done = found(client, session, *wanted, "line_items.data.price.product")
    assert done["total_details"]["breakdown"] == {"discounts": [], "taxes": []}
    line = done["line_items"]["data"][0]
    assert (line["discounts"], line["price"]["product"]["name"]) == ([], "250 credits")
    price = client.v1.prices.retrieve(
        line["price"]["id"], {"expand": ["currency_options", "product", "tiers"]}
    )
    assert plain(price)["currency_options"]["usd"]["unit_amount"] == 2500
    paying = client.v1.customers.create({"expand": ["default_source", "sources", "subscriptions", "tax"]})
    assert plain(paying)["sources"]["data"] == []


def test_lines_of_stored_prices_add_up(client: stripe.StripeClient) -> None:
    product = client.v1.products.create(
        {"name": "Credits", "default_price_data": {"currency": "eur", "unit_amount": 700}}
    )
    session = start(client, line_items=[{"price": str(product.default_price), "quantity": 3}])
    assert (session.amount_total, session.currency) == (2100, "eur")
    lines = client.v1.checkout.sessions.line_items.list(session.id, {"limit": 1})
    assert [(line.quantity, line.amount_total) for line in lines.data] == [(3, 2100)]


def test_sessions_are_listed_by_customer_and_intent(
    simulator: Simulator, client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    start(client)
    mine = start(client, customer=customer.id)
    simulator.pay(page_of(mine))
    listed = client.v1.checkout.sessions.list({"customer": customer.id}).data
    assert [session.id for session in listed] == [mine.id]
    intent = found(client, mine)["payment_intent"]
    by_intent = client.v1.checkout.sessions.list({"payment_intent": intent}).data
    assert [session.id for session in by_intent] == [mine.id]


def test_a_receipt_shows_what_was_paid(simulator: Simulator, client: stripe.StripeClient) -> None:
    session = start(client)
    simulator.pay(page_of(session))
    charge = found(client, session, "payment_intent.latest_charge")["payment_intent"]["latest_charge"]
    receipt = simulator.http.get(charge["receipt_url"])
    assert receipt.status_code == 200
    assert "$25.00" in receipt.text
    assert "Visa ending in 4242" in receipt.text


def test_the_page_escapes_names_and_loads_nothing_from_elsewhere(
    simulator: Simulator, client: stripe.StripeClient
) -> None:
    line = {
        "price_data": {"currency": "usd", "unit_amount": 100, "product_data": {"name": "<script>x</script>"}},
        "quantity": 1,
    }
    page = simulator.http.get(page_of(start(client, line_items=[line])))
    assert "<script" not in page.text
    assert re.findall(r'(?:src|href)="(http[^"]+)"', page.text) == [CANCEL]
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert simulator.http.get("/assets/hosted.css").status_code == 200
    assert simulator.http.get("/c/pay/cs_test_none").status_code == 404


def test_stripes_own_tool_pays_a_session_without_a_browser(clean_stripe: Simulator) -> None:
    """By addresses that are no part of the SDK, so the type check is not for them."""
    client = clean_stripe.client()
    session = start(client)
    card = client.v1.payment_methods.create(
        {"type": "card", "card": {"token": "tok_visa"}, "billing_details": {"email": "cli@example.com"}}
    )
    path = f"/v1/payment_pages/{session.id}"
    done = client.raw_request("post", f"{path}/confirm", payment_method=card.id, expected_amount=2500)
    assert done.data["status"] == "complete"
    assert found(client, session)["customer_details"]["email"] == "cli@example.com"
