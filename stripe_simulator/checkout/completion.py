"""What a submitted Checkout page does: the payment or the saved card, then the finished session."""

from stripe_simulator import tax
from stripe_simulator.checkout import lines
from stripe_simulator.checkout.session import details as known
from stripe_simulator.payments import confirmation, setup
from stripe_simulator.payments.confirmation import Terms
from stripe_simulator.resources import customers, payment_intents
from stripe_simulator.values import Json
from stripe_simulator.wire.errors import invalid
from stripe_simulator.wire.merging import metadata
from stripe_simulator.world import World


def submit(world: World, session: Json, method: Json, *, email: str | None) -> Json:
    """The session's intent after the attempt: finished, or waiting for 3-D Secure.

    Raises StripeError for a declined card (effects kept: the session stays open with its intent).
    """
    if session["status"] != "open":
        raise invalid(f"This Checkout Session has a status of {session['status']}.")
    session = with_customer(world, session, method, email)
    terms = Terms(return_url=f"{world.base_url}/c/pay/{session['id']}")
    if session["mode"] == "setup":
        intent = _setup_intent(world, session)
        intent = setup.confirm(world, intent, method, terms)
    else:
        session = with_tax(world, session, method["billing_details"]["address"])
        intent = _payment_intent(world, session)
        intent = confirmation.confirm(world, intent, method, terms)
    if intent["status"] in ("succeeded", "requires_capture"):
        complete(world, session["id"])
    return intent


def with_customer(world: World, session: Json, method: Json, email: str | None) -> Json:
    """Who is paying. A customer is created where the session needs one."""
    email = _known_email(world, session) or email
    billing = method["billing_details"]
    details = known(email) | {"address": billing["address"], "name": billing["name"], "tax_ids": []}
    session = session | {"customer_details": details}
    needed = session["customer_creation"] == "always" or bool(future_usage(world, session))
    if session["customer"] is None and needed and session["mode"] != "subscription":
        params = {"email": email, "name": details["name"], "address": details["address"]}
        customer = world.put(customers.build(params, world.now()))
        world.emit("customer.created", customer)
        session["customer"] = customer["id"]
    if session["customer"]:
        details["tax_exempt"] = world.existing("customer", session["customer"])["tax_exempt"]
    return world.put(session)


def _known_email(world: World, session: Json) -> str | None:
    customer = world.store.get(session["customer"]) if session["customer"] else None
    return session["customer_email"] or (customer or {}).get("email")


def future_usage(world: World, session: Json) -> str | None:
    data = world.store.hidden(session["id"]).get("intent_data") or {}
    usage: str | None = data.get("setup_future_usage")
    return usage


def with_tax(world: World, session: Json, address: Json | None) -> Json:
    """The totals with VAT, once the country is known: the customer's own, else the one on the card form."""
    if not session["automatic_tax"]["enabled"]:
        return session
    customer = world.store.get(session["customer"]) if session["customer"] else None
    country = ((customer or {}).get("address") or address or {}).get("country")
    if not country:
        return session
    tenths = tax.rate(country, (customer or {}).get("tax_exempt"))
    taxed = lines.taxed(world.store.hidden(session["id"])["lines"], tenths)
    world.store.hide(session["id"], lines=taxed)
    status = session["automatic_tax"] | {"status": "complete"}
    return world.put(session | lines.totals(taxed) | {"automatic_tax": status})


def _payment_intent(world: World, session: Json) -> Json:
    """The session's payment intent: made at the first attempt, used again at the next."""
    if session["payment_intent"]:
        intent = world.existing("payment_intent", session["payment_intent"])
        return world.put(intent | {"amount": session["amount_total"], "customer": session["customer"]})
    data = world.store.hidden(session["id"]).get("intent_data") or {}
    card = {"card": session["payment_method_options"]["card"]}
    fields = ("capture_method", "description", "metadata", "receipt_email", "setup_future_usage", "shipping",
              "statement_descriptor", "statement_descriptor_suffix", "transfer_group")  # fmt: skip
    params = {name: data[name] for name in fields if name in data} | {
        "amount": session["amount_total"],
        "currency": session["currency"],
        "customer": session["customer"],
        "payment_method_options": card,
        "payment_method_types": session["payment_method_types"],
    }
    intent = payment_intents.start(world, params)
    world.store.hide(intent["id"], checkout_session=session["id"])
    world.put(session | {"payment_intent": intent["id"]})
    return intent


def _setup_intent(world: World, session: Json) -> Json:
    intent = world.existing("setup_intent", session["setup_intent"])
    return world.put(intent | {"customer": session["customer"]})


def complete(world: World, session_id: str) -> None:
    """The money is there or the card is saved: close the session and say so."""
    session = world.existing("checkout.session", session_id)
    paid = session["mode"] == "payment"
    after = world.put(
        session
        | {
            "collected_information": {
                "business_name": None,
                "individual_name": None,
                "shipping_details": None,
            },
            "payment_status": "paid" if paid else "no_payment_required",
            "status": "complete",
            "url": None,
        }
    )
    world.emit("checkout.session.completed", after)


def session_of(world: World, intent: Json) -> Json | None:
    """The session that an intent belongs to."""
    session_id = world.store.hidden(intent["id"]).get("checkout_session")
    return world.store.get(session_id, "checkout.session") if session_id else None


def success_url(session: Json) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def with_metadata(session: Json, given: Json | None) -> Json:
    return session | {"metadata": metadata(session["metadata"], given, present=True)}
