"""Checkout sessions, in payment and setup mode."""

from typing import Any

from stripe_simulator.checkout import completion, lines
from stripe_simulator.checkout.session import build
from stripe_simulator.jobs import job
from stripe_simulator.money import checked_currency, shown
from stripe_simulator.payments import setup
from stripe_simulator.payments.intent import OPEN
from stripe_simulator.resources import payment_intents
from stripe_simulator.resources.customers import existing as existing_customer
from stripe_simulator.router import route
from stripe_simulator.values import Json
from stripe_simulator.wire.errors import invalid, missing_object, missing_param
from stripe_simulator.wire.expansion import includable
from stripe_simulator.wire.paging import bounded_limit, listing, page
from stripe_simulator.world import Call, World

_URL = "/v1/checkout/sessions"
_ONE = _URL + "/{session}"
_LEAST = 50
_HALF_HOUR, _DAY = 1800, 86_400


@route("POST", _URL, "checkout.SessionCreateParams")
def create(call: Call) -> Json:
    _check(call)
    customer = existing_customer(call.world, call["customer"]) if call.get("customer") else {}
    paying = call["mode"] == "payment"
    items = lines.build_all(call.world, call["line_items"]) if paying else []
    currency = items[0]["currency"] if items else call.get("currency")
    totals: Json = (
        lines.totals(items) if items else dict.fromkeys(("amount_subtotal", "amount_total", "total_details"))
    )
    if paying and totals["amount_total"] < _LEAST:
        raise invalid(
            f"The Checkout Session's total amount due must add up to at least {shown(_LEAST, currency)} "
            f"{currency}",
            param="line_items",
            code="amount_too_small",
        )
    world = call.world
    session = build(
        call.params,
        email=call.get("customer_email") or customer.get("email"),
        currency=checked_currency(currency) if currency else None,
        totals=totals,
        now=world.now(),
        base_url=world.base_url,
    )
    data = call.get("payment_intent_data") or call.get("setup_intent_data") or {}
    world.put(session, hidden={"lines": items, "intent_data": data})
    if call["mode"] == "setup":
        session = world.put(session | {"setup_intent": _setup_intent(call, session)["id"]})
    session = completion.with_tax(world, session, None)
    world.later("expire_session", session["id"], seconds=session["expires_at"] - world.now())
    return session


def _setup_intent(call: Call, session: Json) -> Json:
    data = call.get("setup_intent_data") or {}
    params = {
        "customer": session["customer"],
        "payment_method_types": session["payment_method_types"],
        "usage": "off_session",
    }
    intent = call.world.put(
        setup.build(
            params | {name: data[name] for name in ("description", "metadata") if name in data},
            call.world.now(),
        ),
        hidden={"checkout_session": session["id"]},
    )
    call.world.emit("setup_intent.created", intent)
    return intent


def _check(call: Call) -> None:
    """Raises StripeError for combinations that Checkout does not take."""
    if not call.get("mode"):
        raise missing_param("mode")
    if call["mode"] == "subscription":
        raise invalid("This simulator has no subscriptions yet.", param="mode")
    if call["mode"] == "payment" and not call.get("line_items"):
        raise missing_param("line_items")
    if call["mode"] == "setup":
        _check_setup(call)
    if call.get("customer") and call.get("customer_email"):
        raise invalid(
            "You may only specify one of these parameters: customer, customer_email.", param="customer"
        )
    if (call.get("ui_mode") or "hosted_page") == "hosted_page" and not call.get("success_url"):
        raise missing_param("success_url")
    for name in ("success_url", "cancel_url"):
        if call.get(name) and not call[name].startswith(("http://", "https://")):
            raise invalid("Not a valid URL", param=name, code="url_invalid")
    _check_expiry(call)


def _check_setup(call: Call) -> None:
    if call.get("line_items"):
        raise invalid("You can not pass `line_items` in `setup` mode.", param="line_items")
    if call.get("payment_intent_data"):
        raise invalid("You can not pass `payment_intent_data` in `setup` mode.", param="payment_intent_data")
    if not call.get("payment_method_types") and not call.get("currency"):
        raise missing_param("currency")


def _check_expiry(call: Call) -> None:
    at = call.get("expires_at")
    if at is None:
        return
    if at < call.world.now() + _HALF_HOUR:
        raise invalid(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.",
            param="expires_at",
        )
    if at > call.world.now() + _DAY:
        raise invalid(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            param="expires_at",
        )


@route("GET", _URL, "checkout.SessionListParams")
def index(call: Call) -> Json:
    details = call.get("customer_details") or {}
    return page(
        call,
        "checkout.session",
        _URL,
        customer=call.get("customer"),
        customer_details__email=details.get("email"),
        payment_intent=call.get("payment_intent"),
        status=call.get("status"),
    )


@route("GET", _ONE, "checkout.SessionRetrieveParams")
def retrieve(call: Call) -> Json:
    return call.world.existing("checkout.session", call.path["session"], param="session")


@route("POST", _ONE, "checkout.SessionUpdateParams")
def update(call: Call) -> Json:
    session = retrieve(call)
    if "metadata" in call.params:
        session = completion.with_metadata(session, call.get("metadata"))
    return call.world.put(session)


@route("POST", _ONE + "/expire", "checkout.SessionExpireParams")
def expire(call: Call) -> Json:
    session = retrieve(call)
    if session["status"] != "open":
        raise invalid(
            'Only Checkout Sessions with a status in ["open"] can be expired. '
            f"This Checkout Session has a status of {session['status']}."
        )
    return _expired(call.world, session)


def _expired(world: World, session: Json) -> Json:
    _abandon_intent(world, session)
    after = world.put(session | {"status": "expired", "url": None})
    world.emit("checkout.session.expired", after)
    return after


def _abandon_intent(world: World, session: Json) -> None:
    """Nobody pays any more, not even by a 3-D Secure page that is still open."""
    intent_id = session["payment_intent"] or session["setup_intent"]
    intent = world.store.get(intent_id) if intent_id else None
    if intent is None or intent["status"] not in OPEN:
        return
    if intent["object"] == "payment_intent":
        payment_intents.end(world, intent, "expired")
    else:
        setup.cancel(world, intent, "abandoned")


@job("expire_session")
def expire_later(world: World, session_id: str) -> None:
    session = world.store.get(session_id, "checkout.session")
    if session and session["status"] == "open":
        _expired(world, session)


@route("GET", _ONE + "/line_items", "checkout.SessionListLineItemsParams")
def list_line_items(call: Call) -> Json:
    session = retrieve(call)
    items: list[Json] = call.world.store.hidden(session["id"])["lines"]
    start = 0
    after = call.get("starting_after")
    if after:
        start = next((place + 1 for place, item in enumerate(items) if item["id"] == after), -1)
        if start < 0:
            raise missing_object("line_item", after, param="starting_after", status=400)
    limit = bounded_limit(call)
    return listing(
        items[start : start + limit],
        f"{_URL}/{session['id']}/line_items",
        has_more=len(items) > start + limit,
    )


@includable("checkout.session", "total_details.breakdown")
def _breakdown(world: World, session: Json) -> Any:
    return {"discounts": [], "taxes": []}


@includable("item", "discounts")
@includable("item", "taxes")
def _none_listed(world: World, item: Json) -> Any:
    """Discounts are not simulated, and tax is not broken down by rate."""
    return []


@includable("checkout.session", "line_items")
def _line_items(world: World, session: Json) -> Any:
    items = world.store.hidden(session["id"])["lines"]
    return listing(items[:10], f"{_URL}/{session['id']}/line_items", has_more=len(items) > 10)
