"""Refunds. The published test cards decide whether one fails later or waits."""

from stripe_simulator import money
from stripe_simulator.cards.methods import test_card
from stripe_simulator.jobs import job
from stripe_simulator.payments import balance
from stripe_simulator.router import route
from stripe_simulator.values import Json, new_id
from stripe_simulator.wire.errors import StripeError, invalid, invalid_integer
from stripe_simulator.wire.merging import merged_metadata, new_metadata
from stripe_simulator.wire.paging import page
from stripe_simulator.world import Call, World

_URL = "/v1/refunds"
_ONE = _URL + "/{refund}"


def _build(world: World, charge: Json, amount: int, status: str, params: Json) -> Json:
    refund_id = new_id("re")
    return {
        "id": refund_id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": world.now(),
        "currency": charge["currency"],
        "destination_details": {
            "card": {
                "reference_status": "pending",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        },
        "metadata": new_metadata(params),
        "payment_intent": charge["payment_intent"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }


@route("POST", _URL, "RefundCreateParams")
def create(call: Call) -> Json:
    charge = _charge(call)
    amount = _amount(call, charge)
    card = test_card(call.world, call.world.existing("payment_method", charge["payment_method"]))
    status = "pending" if card.refund == "pending" else "succeeded"
    refund = _build(call.world, charge, amount, status, call.params)
    if status == "pending":
        refund["pending_reason"] = "processing"
    refund = _booked(call.world, refund, kind="refund", field="balance_transaction", amount=-amount)
    refunded = charge["amount_refunded"] + amount
    after = call.world.put(
        charge | {"amount_refunded": refunded, "refunded": refunded == charge["amount_captured"]}
    )
    call.world.changed("charge.refunded", charge, after)
    call.world.emit("refund.created", refund)
    if card.refund != "succeeds":
        call.world.later("finish_refund", refund["id"])
    return refund


def _charge(call: Call) -> Json:
    """The charge to refund, named directly or by its payment intent."""
    if call.get("charge") and call.get("payment_intent"):
        raise invalid("You may only specify one of these parameters: charge, payment_intent.", param="charge")
    if call.get("charge"):
        return _refundable(call.world, call.world.referenced("charge", call["charge"], "charge"))
    if not call.get("payment_intent"):
        raise invalid(
            "One of the following params should be provided for this request: payment_intent or charge."
        )
    intent = call.world.referenced("payment_intent", call["payment_intent"], "payment_intent")
    charge = call.world.store.get(intent["latest_charge"]) if intent["latest_charge"] else None
    if charge is None or not charge["paid"]:
        raise invalid(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            param="payment_intent",
        )
    return _refundable(call.world, charge)


def _refundable(world: World, charge: Json) -> Json:
    if not charge["paid"]:
        raise invalid("You cannot refund a charge that failed.", param="charge")
    if not charge["captured"] and not charge["refunded"]:
        raise invalid(
            f"Charge {charge['id']} has not been captured. Cancel its PaymentIntent to release the funds.",
            param="charge",
        )
    if charge["refunded"]:
        raise StripeError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    disputes = world.store.find("dispute", charge=charge["id"])
    if any(not dispute["is_charge_refundable"] for dispute in disputes):
        raise StripeError(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    return charge


def _amount(call: Call, charge: Json) -> int:
    left = int(charge["amount_captured"]) - int(charge["amount_refunded"])
    amount = int(call.get("amount", left))
    if amount < 1:
        raise invalid_integer("amount", "Invalid positive integer")
    if amount > left:
        asked, had = (money.shown(value, charge["currency"]) for value in (amount, left))
        whole = left == charge["amount_captured"]
        limit = f"charge amount ({had})" if whole else f"unrefunded amount on charge ({had})"
        raise invalid(f"Refund amount ({asked}) is greater than {limit}", param="amount")
    return amount


def _booked(world: World, refund: Json, *, kind: str, field: str, amount: int) -> Json:
    entry = world.put(
        balance.build(
            kind=kind,
            amount=amount,
            currency=refund["currency"],
            source=refund["id"],
            now=world.now(),
            description="REFUND FOR CHARGE",
        )
    )
    return world.put(refund | {field: entry["id"]})


@job("finish_refund")
def finish(world: World, refund_id: str) -> None:
    """What the test card has in store: the refund fails, or leaves `pending`."""
    refund = world.existing("refund", refund_id)
    if refund["status"] == "pending":
        after = world.put({name: value for name, value in refund.items() if name != "pending_reason"})
        after = world.put(after | {"status": "succeeded"})
    else:
        after = fail(world, refund)
    for event_type in ("refund.updated", "charge.refund.updated"):
        world.changed(event_type, refund, after)
    if after["status"] == "failed":
        world.emit("refund.failed", after)


def fail(world: World, refund: Json) -> Json:
    """The bank sent the money back: the company has it again, and the charge is not refunded by it."""
    after = _booked(
        world,
        refund,
        kind="refund_failure",
        field="failure_balance_transaction",
        amount=refund["amount"],
    )
    after = world.put(after | {"failure_reason": "expired_or_canceled_card", "status": "failed"})
    charge = world.existing("charge", refund["charge"])
    left = charge["amount_refunded"] - refund["amount"]
    world.put(charge | {"amount_refunded": left, "refunded": False})
    return after


@route("GET", _URL, "RefundListParams")
def index(call: Call) -> Json:
    return page(call, "refund", _URL, charge=call.get("charge"), payment_intent=call.get("payment_intent"))


@route("GET", _ONE, "RefundRetrieveParams")
def retrieve(call: Call) -> Json:
    return call.world.existing("refund", call.path["refund"])


@route("POST", _ONE, "RefundUpdateParams")
def update(call: Call) -> Json:
    before = retrieve(call)
    after = call.world.put(before | {"metadata": merged_metadata(before, call.params)})
    for event_type in ("refund.updated", "charge.refund.updated"):
        call.world.changed(event_type, before, after)
    return after


@route("POST", _ONE + "/cancel", "RefundCancelParams")
def cancel(call: Call) -> Json:
    """Only refunds that wait for the customer can be canceled, and no card refund does."""
    refund = retrieve(call)
    raise invalid(
        f"Refund {refund['id']} cannot be canceled because it has a status of {refund['status']}. Only a "
        "refund with a status of requires_action can be canceled."
    )
