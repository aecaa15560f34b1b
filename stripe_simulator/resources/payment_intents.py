"""Payment intents."""

from stripe_simulator.cards import methods
from stripe_simulator.jobs import job
from stripe_simulator.money import checked_charge, checked_currency
from stripe_simulator.payments import charging
from stripe_simulator.payments.confirmation import Terms, check_owner, confirm
from stripe_simulator.payments.intent import OPEN, automatic_methods, build, method_options, unexpected_state
from stripe_simulator.resources.customers import existing as existing_customer
from stripe_simulator.router import route
from stripe_simulator.values import Json
from stripe_simulator.wire.errors import invalid, invalid_integer
from stripe_simulator.wire.merging import merged_metadata, shipping
from stripe_simulator.wire.paging import page
from stripe_simulator.wire.search import search
from stripe_simulator.world import Call, World

_URL = "/v1/payment_intents"
_ONE = _URL + "/{intent}"
_ALWAYS_EDITABLE = (
    "description",
    "receipt_email",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)


def start(world: World, params: Json) -> Json:
    """Create an intent and say so; not confirmed yet."""
    if params.get("customer"):
        existing_customer(world, params["customer"])
    intent = build(params, world.now())
    method = _method(world, params)
    if method:
        check_owner(intent, method)
        methods.check_unused(world, method)
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    world.put(intent)
    unconfirmed = (
        {"payment_method": None, "status": "requires_payment_method"} if params.get("confirm") else {}
    )
    world.emit("payment_intent.created", intent | unconfirmed)
    return intent


def _method(world: World, params: Json) -> Json | None:
    if params.get("payment_method_data"):
        return methods.make(world, params["payment_method_data"], "payment_method_data[card]")
    if params.get("payment_method"):
        return methods.referenced(world, params["payment_method"])
    return None


@route("POST", _URL, "PaymentIntentCreateParams")
def create(call: Call) -> Json:
    _check_combinations(call)
    intent = start(call.world, call.params)
    return _confirmed(call, intent) if call.get("confirm") else intent


def _check_combinations(call: Call) -> None:
    if call.get("off_session") and not call.get("confirm"):
        raise invalid(
            "You cannot set `off_session` without also setting `confirm` to `true`.", param="off_session"
        )
    if call.get("off_session") and call.get("setup_future_usage"):
        raise invalid(
            "You cannot use `setup_future_usage` with `off_session`: the payment method is saved already.",
            param="setup_future_usage",
        )
    if call.get("payment_method_types") is not None and (call.get("automatic_payment_methods") or {}).get(
        "enabled"
    ):
        raise invalid(
            "You may only specify one of these parameters: automatic_payment_methods, payment_method_types.",
            param="automatic_payment_methods",
        )
    if call.get("return_url") and not call.get("confirm"):
        raise invalid(
            "The parameter `return_url` cannot be passed when creating a PaymentIntent unless `confirm` is "
            "set to true.",
            param="return_url",
        )


def _confirmed(call: Call, intent: Json) -> Json:
    method = call.world.store.get(intent["payment_method"]) if intent["payment_method"] else None
    terms = Terms(
        off_session=bool(call.get("off_session")),
        refuse_action=bool(call.get("error_on_requires_action")),
        return_url=call.get("return_url"),
    )
    return confirm(call.world, intent, method, terms)


@route("GET", _URL, "PaymentIntentListParams")
def index(call: Call) -> Json:
    return page(call, "payment_intent", _URL, customer=call.get("customer"))


@route("GET", _URL + "/search", "PaymentIntentSearchParams")
def find(call: Call) -> Json:
    return search(call, "payment_intent", _URL + "/search")


@route("GET", _ONE, "PaymentIntentRetrieveParams")
def retrieve(call: Call) -> Json:
    return call.world.existing("payment_intent", call.path["intent"], param="intent")


@route("POST", _ONE, "PaymentIntentUpdateParams")
def update(call: Call) -> Json:
    return _updated(call, retrieve(call))


def _updated(call: Call, intent: Json) -> Json:
    _check_editable(call, intent)
    after = intent | {name: call[name] for name in _ALWAYS_EDITABLE if name in call.params}
    after["metadata"] = merged_metadata(intent, call.params)
    if "shipping" in call.params:
        after["shipping"] = shipping(call["shipping"], with_carrier=True)
    if call.get("currency"):
        after["currency"] = checked_currency(call["currency"])
    if "amount" in call.params or call.get("currency"):
        after["amount"] = checked_charge(call.get("amount", intent["amount"]), after["currency"])
    if call.get("customer"):
        after["customer"] = existing_customer(call.world, call["customer"])["id"]
    for name in ("setup_future_usage", "capture_method", "payment_method_types"):
        if name in call.params:
            after[name] = call[name]
    if call.get("payment_method_types"):
        after["automatic_payment_methods"] = automatic_methods(call.params)
    if "payment_method_options" in call.params:
        after["payment_method_options"] = method_options(
            call["payment_method_options"], intent["payment_method_options"]
        )
    method = _method(call.world, call.params)
    if method:
        check_owner(after, method)
        methods.check_unused(call.world, method)
        after |= {"payment_method": method["id"], "status": "requires_confirmation", "next_action": None}
    return call.world.put(after)


def _check_editable(call: Call, intent: Json) -> None:
    for name in (
        "amount",
        "currency",
        "customer",
        "payment_method",
        "payment_method_data",
        "setup_future_usage",
    ):
        if name in call.params and intent["status"] not in OPEN:
            raise unexpected_state(
                intent,
                f"This PaymentIntent's {name} could not be updated because it has a status of "
                f"{intent['status']}. You may only update the {name} of a PaymentIntent with one of the "
                f"following statuses: {', '.join(OPEN)}.",
            )


@route("POST", _ONE + "/confirm", "PaymentIntentConfirmParams")
def confirm_one(call: Call) -> Json:
    intent = retrieve(call)
    if intent["status"] in OPEN:
        intent = _updated(call, intent)
    return _confirmed(call, intent)


@route("POST", _ONE + "/capture", "PaymentIntentCaptureParams")
def capture(call: Call) -> Json:
    intent = retrieve(call)
    if intent["status"] != "requires_capture":
        raise unexpected_state(
            intent,
            "This PaymentIntent could not be captured because it has a status of "
            f"{intent['status']}. Only a PaymentIntent with one of the following statuses may be captured: "
            "requires_capture.",
        )
    amount = call.get("amount_to_capture", intent["amount_capturable"])
    if amount < 1:
        raise invalid_integer("amount_to_capture", "This value must be greater than or equal to 1.")
    if amount > intent["amount_capturable"]:
        raise invalid(
            "The amount_to_capture must be less than or equal to the amount that is capturable.",
            param="amount_to_capture",
            code="amount_too_large",
        )
    before = call.world.existing("charge", intent["latest_charge"])
    unused = before["amount"] - amount
    charge = charging.settle(
        call.world, before | {"captured": True, "amount_captured": amount, "amount_refunded": unused}
    )
    call.world.emit("charge.captured", charge)
    after = call.world.put(
        intent
        | {
            "amount_capturable": 0,
            "amount_received": amount,
            "metadata": merged_metadata(intent, call.params),
            "status": "succeeded",
        }
    )
    call.world.emit("payment_intent.succeeded", after)
    return after


@route("POST", _ONE + "/cancel", "PaymentIntentCancelParams")
def cancel(call: Call) -> Json:
    intent = retrieve(call)
    if intent["status"] not in (*OPEN, "requires_capture", "processing"):
        raise unexpected_state(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a "
            "PaymentIntent with one of the following statuses may be canceled: requires_payment_method, "
            "requires_capture, requires_confirmation, requires_action, processing.",
        )
    return end(call.world, intent, call.get("cancellation_reason"))


def end(world: World, intent: Json, reason: str | None) -> Json:
    """Cancel it; money that was only held goes back."""
    if intent["status"] == "requires_capture":
        charge = world.existing("charge", intent["latest_charge"])
        released = world.put(charge | {"amount_refunded": charge["amount"], "refunded": True})
        world.emit("charge.refunded" if reason != "automatic" else "charge.expired", released)
    after = world.put(
        intent
        | {
            "amount_capturable": 0,
            "canceled_at": world.now(),
            "cancellation_reason": reason,
            "next_action": None,
            "status": "canceled",
        }
    )
    world.emit("payment_intent.canceled", after)
    return after


@job("expire_authorization")
def expire_authorization(world: World, intent_id: str) -> None:
    """A week after it was placed, an uncaptured hold is given up by the network."""
    intent = world.store.get(intent_id, "payment_intent")
    if intent and intent["status"] == "requires_capture":
        end(world, intent, "automatic")
