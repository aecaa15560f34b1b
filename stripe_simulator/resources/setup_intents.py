"""Setup intents and the attempts at them."""

from stripe_simulator.cards import methods
from stripe_simulator.payments import setup
from stripe_simulator.payments.confirmation import Terms, check_owner
from stripe_simulator.payments.intent import OPEN, unexpected_state
from stripe_simulator.resources.customers import existing as existing_customer
from stripe_simulator.router import route
from stripe_simulator.values import Json
from stripe_simulator.wire.errors import invalid
from stripe_simulator.wire.merging import merged_metadata
from stripe_simulator.wire.paging import page
from stripe_simulator.world import Call

_URL = "/v1/setup_intents"
_ONE = _URL + "/{intent}"


@route("POST", _URL, "SetupIntentCreateParams")
def create(call: Call) -> Json:
    if call.get("customer"):
        existing_customer(call.world, call["customer"])
    if call.get("return_url") and not call.get("confirm"):
        raise invalid(
            "The parameter `return_url` cannot be passed when creating a SetupIntent unless `confirm` is "
            "set to true.",
            param="return_url",
        )
    intent = setup.build(call.params, call.world.now())
    intent = _with_method(call, intent)
    call.world.put(intent)
    call.world.emit("setup_intent.created", intent)
    return _confirmed(call, intent) if call.get("confirm") else intent


def _with_method(call: Call, intent: Json) -> Json:
    if call.get("payment_method_data"):
        method = methods.make(call.world, call["payment_method_data"], "payment_method_data[card]")
    elif call.get("payment_method"):
        method = methods.referenced(call.world, call["payment_method"])
    else:
        return intent
    check_owner(intent, method)
    methods.check_unused(call.world, method)
    return intent | {"payment_method": method["id"], "status": "requires_confirmation", "next_action": None}


def _confirmed(call: Call, intent: Json) -> Json:
    method = call.world.store.get(intent["payment_method"]) if intent["payment_method"] else None
    return setup.confirm(call.world, intent, method, Terms(return_url=call.get("return_url")))


@route("GET", _URL, "SetupIntentListParams")
def index(call: Call) -> Json:
    return page(
        call, "setup_intent", _URL, customer=call.get("customer"), payment_method=call.get("payment_method")
    )


@route("GET", _ONE, "SetupIntentRetrieveParams")
def retrieve(call: Call) -> Json:
    return call.world.existing("setup_intent", call.path["intent"], param="intent")


@route("POST", _ONE, "SetupIntentUpdateParams")
def update(call: Call) -> Json:
    return call.world.put(_updated(call, retrieve(call)))


def _updated(call: Call, intent: Json) -> Json:
    after = intent | {"metadata": merged_metadata(intent, call.params)}
    if "description" in call.params:
        after["description"] = call["description"]
    if call.get("customer"):
        after["customer"] = existing_customer(call.world, call["customer"])["id"]
    if call.get("payment_method_types"):
        after["payment_method_types"] = call["payment_method_types"]
    if call.get("payment_method_options"):
        after["payment_method_options"] = setup.method_options(
            call["payment_method_options"], intent["payment_method_options"]
        )
    return _with_method(call, after)


@route("POST", _ONE + "/confirm", "SetupIntentConfirmParams")
def confirm_one(call: Call) -> Json:
    intent = retrieve(call)
    if intent["status"] in OPEN:
        intent = call.world.put(_with_method(call, intent))
    return _confirmed(call, intent)


@route("POST", _ONE + "/cancel", "SetupIntentCancelParams")
def cancel(call: Call) -> Json:
    intent = retrieve(call)
    if intent["status"] not in OPEN:
        raise unexpected_state(
            intent,
            f"You cannot cancel this SetupIntent because it has a status of {intent['status']}. Only a "
            f"SetupIntent with one of the following statuses may be canceled: {', '.join(OPEN)}.",
        )
    return setup.cancel(call.world, intent, call.get("cancellation_reason"))


@route("GET", "/v1/setup_attempts", "SetupAttemptListParams")
def attempts(call: Call) -> Json:
    return page(call, "setup_attempt", "/v1/setup_attempts", setup_intent=call["setup_intent"])
