"""The Checkout page: what is bought, the form, and what happens on Pay."""

import re
from dataclasses import dataclass, field
from html import escape

from stripe_simulator import money, tax
from stripe_simulator.cards import methods
from stripe_simulator.cards.numbers import brand_label
from stripe_simulator.checkout import completion
from stripe_simulator.hosted import html
from stripe_simulator.server.messages import Reply
from stripe_simulator.values import Json
from stripe_simulator.wire.errors import StripeError
from stripe_simulator.world import World

_NEW = "new"
_FIELD_OF = {
    "incorrect_number": "card_number",
    "invalid_expiry_month": "expiry",
    "invalid_expiry_year": "expiry",
    "invalid_cvc": "cvc",
    "incorrect_cvc": "cvc",
}


@dataclass
class Entry:
    """What the customer typed, kept when the card is refused."""

    values: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    problem_field: str | None = None

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)


def show(world: World, session: Json, entry: Entry | None = None) -> Reply:
    """The page, or where to go when the session is over."""
    if session["status"] == "complete":
        return html.redirect(completion.success_url(session))
    if session["status"] == "expired":
        return html.message("This session has expired", "Go back to the shop and start again.", status=410)
    entry = entry or _entry_after_failure(world, session)
    body = f'<div class="two">{_summary(world, session)}{_form(world, session, entry)}</div>'
    return html.page(_action(session), body, status=402 if entry.problem else 200)


def _entry_after_failure(world: World, session: Json) -> Entry:
    """What to say to somebody who comes back from a failed 3-D Secure."""
    intent_id = session["payment_intent"] or session["setup_intent"]
    intent = world.store.get(intent_id) if intent_id else None
    error = (intent or {}).get("last_payment_error") or (intent or {}).get("last_setup_error")
    return Entry(problem=error["message"] if error else None)


def _action(session: Json) -> str:
    if session["mode"] == "setup":
        return "Save card"
    return f"Pay {money.shown(session['amount_total'], session['currency'])}"


def _summary(world: World, session: Json) -> str:
    if session["mode"] == "setup":
        note = '<p class="quiet">Nothing is charged now.</p>'
        return f'<section aria-label="Summary"><h1>Save a card</h1>{note}</section>'
    currency = session["currency"]
    rows = "".join(_row(line) for line in world.store.hidden(session["id"])["lines"])
    details = session["total_details"]
    if session["automatic_tax"]["enabled"]:
        known = session["automatic_tax"]["status"] == "complete"
        amount = money.shown(details["amount_tax"], currency) if known else "Set by your country"
        rows += f'<tr><th scope="row">VAT</th><td>{amount}</td></tr>'
    total = money.shown(session["amount_total"], currency)
    return (
        f'<section aria-label="Summary"><h1>Total due</h1><p class="amount">{total}</p>'
        f'<table>{rows}<tr class="total"><th scope="row">Total</th><td>{total}</td></tr></table></section>'
    )


def _row(line: Json) -> str:
    amount = money.shown(line["amount_subtotal"], line["currency"])
    quantity = f" <small>× {line['quantity']}</small>" if line["quantity"] != 1 else ""
    return f'<tr><th scope="row">{escape(line["description"])}{quantity}</th><td>{amount}</td></tr>'


def _form(world: World, session: Json, entry: Entry) -> str:
    problem = f'<p class="alert" role="alert">{escape(entry.problem)}</p>' if entry.problem else ""
    cancel = session["cancel_url"]
    back = f'<a class="back" href="{escape(cancel)}">Cancel and go back</a>' if cancel else ""
    return (
        f'<section class="card" aria-label="Payment">{problem}<form method="post" novalidate>'
        f"{_email(world, session, entry)}{_saved(world, session, entry)}{_card(entry)}"
        f"<button>{escape(_action(session))}</button></form>{back}{_help()}</section>"
    )


def _email(world: World, session: Json, entry: Entry) -> str:
    customer = world.store.get(session["customer"]) if session["customer"] else None
    known = session["customer_email"] or (customer or {}).get("email")
    if known:
        return f'<p class="field"><span class="quiet">E-mail</span><br>{escape(known)}</p>'
    return html.field("email", "E-mail", entry.get("email"), kind="email", autocomplete="email")


def saved_cards(world: World, session: Json) -> list[Json]:
    """The customer's cards that this session may offer again."""
    options = session["saved_payment_method_options"]
    if not session["customer"] or not options:
        return []
    allowed = options["allow_redisplay_filters"]
    cards = world.store.find("payment_method", customer=session["customer"])
    return [card for card in cards if card["allow_redisplay"] in allowed]


def _saved(world: World, session: Json, entry: Entry) -> str:
    cards = saved_cards(world, session)
    if not cards:
        return ""
    chosen = entry.get("payment_method", cards[0]["id"])
    options = [
        (card["id"], f"{brand_label(card['card']['brand'])} ending in {card['card']['last4']}")
        for card in cards
    ]
    rows = "".join(
        f'<label class="option"><input type="radio" name="payment_method" value="{escape(value)}"'
        f"{' checked' if value == chosen else ''}>{escape(label)}</label>"
        for value, label in [*options, (_NEW, "Another card")]
    )
    return f"<fieldset><legend>Pay with</legend>{rows}</fieldset>"


def _card(entry: Entry) -> str:
    def problem(name: str) -> str | None:
        return entry.problem if entry.problem_field == name else None

    number = html.field(
        "card_number", "Card number", entry.get("card_number"), autocomplete="cc-number", mode="numeric",
        placeholder="4242 4242 4242 4242", required=False, error=problem("card_number"),
    )  # fmt: skip
    expiry = html.field(
        "expiry", "Expiry", entry.get("expiry"), autocomplete="cc-exp", placeholder="MM / YY", required=False,
        error=problem("expiry"),
    )  # fmt: skip
    cvc = html.field(
        "cvc", "CVC", entry.get("cvc"), autocomplete="cc-csc", mode="numeric", placeholder="123",
        required=False, error=problem("cvc"),
    )  # fmt: skip
    name = html.field("name", "Name on card", entry.get("name"), autocomplete="cc-name", required=False)
    countries = [("", "Choose a country"), *((code, code) for code in tax.countries())]
    country = html.choice("country", "Country", countries, entry.get("country"))
    postal = html.field(
        "postal_code", "Postal code", entry.get("postal_code"), autocomplete="postal-code", required=False
    )
    dates = f'<div class="row"><div>{expiry}</div><div>{cvc}</div></div>'
    place = f'<div class="row">{country}{postal}</div>'
    return f'<div class="new-card">{number}{dates}{name}{place}</div>'


def _help() -> str:
    return (
        "<details><summary>Test cards</summary><p>4242 4242 4242 4242 pays. 4000 0000 0000 0002 is declined. "
        "4000 0027 6000 3184 asks for 3-D Secure. Any future expiry, any CVC.</p></details>"
    )


def pay(world: World, session: Json, values: dict[str, str]) -> Reply:
    """The form was sent. Call inside a transaction; a declined card keeps what was recorded."""
    if session["status"] != "open":
        return show(world, session)
    try:
        method = _chosen(world, session, values)
        intent = completion.submit(world, session, method, email=values.get("email") or None)
    except StripeError as error:
        problem = Entry(values, error.message, _FIELD_OF.get(error.code or ""))
        return show(world, world.existing("checkout.session", session["id"]), problem)
    if intent["status"] == "requires_action":
        return html.redirect(f"{world.base_url}/3d_secure/{intent['id']}")
    return html.redirect(completion.success_url(session))


def _chosen(world: World, session: Json, values: dict[str, str]) -> Json:
    chosen = values.get("payment_method", _NEW)
    if chosen != _NEW:
        card = next((card for card in saved_cards(world, session) if card["id"] == chosen), None)
        if card is None:
            raise StripeError("This card cannot be used. Choose another one.")
        return card
    month, year = _expiry(values.get("expiry", ""))
    number = values.get("card_number", "").strip()
    if not number:
        raise StripeError("Your card number is incomplete.", code="incorrect_number")
    cvc = values.get("cvc", "").strip()
    if not cvc:
        raise StripeError("Your card's security code is incomplete.", code="invalid_cvc")
    saving = session["mode"] == "setup" or bool(completion.future_usage(world, session))
    params = {
        "allow_redisplay": "limited" if saving else "unspecified",
        "billing_details": _billing_details(values),
        "card": {"number": number, "exp_month": month, "exp_year": year, "cvc": cvc},
    }
    return methods.make(world, params)


def _expiry(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"\s*(\d{1,2})\s*/?\s*(\d{2}|\d{4})\s*", text, re.ASCII)
    if not match:
        raise StripeError("Your card's expiration date is incomplete.", code="invalid_expiry_month")
    return int(match[1]), int(match[2])


def _billing_details(values: dict[str, str]) -> Json:
    address = {name: values.get(name) or None for name in ("country", "postal_code")}
    return {"address": address, "email": values.get("email") or None, "name": values.get("name") or None}
