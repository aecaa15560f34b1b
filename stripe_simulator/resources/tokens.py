"""Card tokens, and the older card object that they and direct charges show."""

from stripe_simulator.cards.entry import EnteredCard, entered, fingerprint
from stripe_simulator.cards.numbers import brand_label
from stripe_simulator.router import route
from stripe_simulator.values import Json, new_id
from stripe_simulator.wire.errors import invalid, missing_param
from stripe_simulator.world import Call


def card_object(entry: EnteredCard) -> Json:
    unknown = (
        "address_city", "address_country", "address_line1", "address_line1_check", "address_line2",
        "address_state", "address_zip", "address_zip_check", "dynamic_last4", "name", "tokenization_method",
    )  # fmt: skip
    return {
        "id": new_id("card"),
        "object": "card",
        **dict.fromkeys(unknown),
        "brand": brand_label(entry.card.brand),
        "country": entry.card.country,
        "customer": None,
        "cvc_check": "unchecked" if entry.cvc else None,
        "exp_month": entry.exp_month,
        "exp_year": entry.exp_year,
        "fingerprint": fingerprint(entry.card.number),
        "funding": entry.card.funding,
        "last4": entry.card.number[-4:],
        "metadata": {},
        "networks": {"preferred": None},
        "regulated_status": "unregulated",
    }


@route("POST", "/v1/tokens", "TokenCreateParams")
def create(call: Call) -> Json:
    if "card" not in call.params:
        raise missing_param("card")
    if not isinstance(call["card"], dict):
        raise invalid("The simulator makes tokens of card details only.", param="card")
    entry = entered(call["card"], call.world.now())
    token = {
        "id": new_id("tok"),
        "object": "token",
        "card": card_object(entry),
        "client_ip": "127.0.0.1",
        "created": call.world.now(),
        "livemode": False,
        "type": "card",
        "used": False,
    }
    known = {"number": entry.card.number, "cvc": entry.cvc} | {
        "exp_month": entry.exp_month,
        "exp_year": entry.exp_year,
    }
    return call.world.put(token, hidden=known)


@route("GET", "/v1/tokens/{token}", "TokenRetrieveParams")
def retrieve(call: Call) -> Json:
    return call.world.existing("token", call.path["token"])
