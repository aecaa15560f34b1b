"""The receipt that `charge.receipt_url` leads to."""

from datetime import UTC, datetime
from html import escape

from stripe_simulator import money
from stripe_simulator.cards.numbers import brand_label
from stripe_simulator.hosted import html
from stripe_simulator.server.messages import Reply
from stripe_simulator.values import Json


def show(charge: Json) -> Reply:
    currency = charge["currency"]
    card = charge["payment_method_details"]["card"]
    day = f"{datetime.fromtimestamp(charge['created'], UTC):%d %B %Y}".lstrip("0")
    rows = [
        ("Amount paid", money.shown(charge["amount_captured"], currency)),
        ("Date paid", day),
        ("Payment method", f"{brand_label(card['brand'])} ending in {card['last4']}"),
        ("Description", charge["description"] or "Payment"),
    ]
    if charge["amount_refunded"]:
        rows.append(("Refunded", money.shown(charge["amount_refunded"], currency)))
    table = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>' for name, text in rows
    )
    amount = money.shown(charge["amount_captured"], currency)
    body = (
        f'<section class="card narrow"><h1>Receipt</h1><p class="amount">{amount}</p><table>{table}</table>'
        f'<p class="quiet">{escape(charge["id"])}</p></section>'
    )
    return html.page("Receipt", body)
