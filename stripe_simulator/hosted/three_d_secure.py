"""The bank's 3-D Secure page, for a payment or a saved card, from Checkout or the merchant's own page."""

from html import escape
from urllib.parse import urlencode, urlsplit

from stripe_simulator import money
from stripe_simulator.checkout import completion
from stripe_simulator.hosted import html
from stripe_simulator.payments import authentication
from stripe_simulator.server.messages import Reply
from stripe_simulator.values import Json
from stripe_simulator.wire.errors import StripeError
from stripe_simulator.world import World


def show(world: World, intent: Json) -> Reply:
    if intent["status"] != "requires_action":
        return _onwards(world, intent)
    what = "Save this card for later payments."
    if intent["object"] == "payment_intent":
        what = f"A payment of {money.shown(intent['amount'], intent['currency'])}."
    body = (
        '<section class="card narrow"><h1>3-D Secure 2 test page</h1>'
        f"<h2>Is this you?</h2><p>{escape(what)} Your bank asks you to confirm it.</p>"
        '<form method="post"><button name="result" value="complete">Complete</button>'
        '<button class="second" name="result" value="fail">Fail</button></form></section>'
    )
    return html.page("3-D Secure", body)


def answer(world: World, intent: Json, values: dict[str, str]) -> Reply:
    """The customer pressed a button. Call inside a transaction."""
    if intent["status"] == "requires_action":
        try:
            authentication.finish(world, intent, passed=values.get("result") == "complete")
        except StripeError as error:
            if not error.keeps_effects:
                raise
        intent = world.existing(intent["object"], intent["id"])
    return _onwards(world, intent)


def _onwards(world: World, intent: Json) -> Reply:
    session = completion.session_of(world, intent)
    if session and session["status"] == "open":
        return html.redirect(f"{world.base_url}/c/pay/{session['id']}")
    if session:
        return html.redirect(completion.success_url(session))
    return_url = world.store.hidden(intent["id"]).get("return_url")
    if return_url:
        return html.redirect(_with_result(return_url, intent))
    done = intent["status"] in ("succeeded", "requires_capture")
    text = (
        "You can close this page."
        if done
        else "The payment method was not authenticated. You can close this page."
    )
    return html.message("Authentication complete" if done else "Authentication failed", text)


def _with_result(url: str, intent: Json) -> str:
    done = intent["status"] in ("succeeded", "requires_capture")
    kind = intent["object"]
    query = urlencode(
        {
            kind: intent["id"],
            f"{kind}_client_secret": intent["client_secret"],
            "redirect_status": "succeeded" if done else "failed",
        }
    )
    parts = urlsplit(url)
    return parts._replace(query=f"{parts.query}&{query}" if parts.query else query).geturl()
