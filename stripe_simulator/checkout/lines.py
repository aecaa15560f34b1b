"""Line items and what they add up to, with tax."""

from stripe_simulator import tax
from stripe_simulator.resources import prices
from stripe_simulator.values import Json, new_id
from stripe_simulator.wire.errors import invalid, invalid_integer, missing_param
from stripe_simulator.world import World

_MOST = 100


def build_all(world: World, given: list[Json]) -> list[Json]:
    """Raises StripeError for a line that cannot be sold."""
    if len(given) > _MOST:
        raise invalid(f"A maximum of {_MOST} line items is allowed.", param="line_items")
    lines = [_build(world, item, f"line_items[{position}]") for position, item in enumerate(given)]
    currencies = {line["currency"] for line in lines}
    if len(currencies) > 1:
        raise invalid(
            "All prices on a Checkout Session must have the same currency.", param="line_items[0][price]"
        )
    return lines


def _build(world: World, item: Json, path: str) -> Json:
    price = _price(world, item, path)
    quantity = item.get("quantity")
    if quantity is None:
        raise missing_param(f"{path}[quantity]")
    if quantity < 1:
        raise invalid_integer(f"{path}[quantity]", "This value must be greater than or equal to 1.")
    product = world.existing("product", price["product"])
    amount = (price["unit_amount"] or 0) * quantity
    return {
        "id": new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": product["name"],
        "metadata": item.get("metadata") or {},
        "price": price,
        "quantity": quantity,
    }


def _price(world: World, item: Json, path: str) -> Json:
    if item.get("price"):
        return world.referenced("price", item["price"], f"{path}[price]")
    if not item.get("price_data"):
        raise invalid(f"You must specify either `price` or `price_data` for {path}.", param=path)
    return world.put(prices.make(world, item["price_data"]) | {"active": False})


def taxed(lines: list[Json], tenths: int) -> list[Json]:
    return [_taxed(line, tenths) for line in lines]


def _taxed(line: Json, tenths: int) -> Json:
    inclusive = line["price"]["tax_behavior"] == "inclusive"
    owed = tax.tax_on(line["amount_subtotal"], tenths, inclusive=inclusive)
    return line | {"amount_tax": owed, "amount_total": line["amount_subtotal"] + (0 if inclusive else owed)}


def totals(lines: list[Json]) -> Json:
    """The session's amounts."""
    return {
        "amount_subtotal": sum(line["amount_subtotal"] for line in lines),
        "amount_total": sum(line["amount_total"] for line in lines),
        "total_details": {
            "amount_discount": 0,
            "amount_shipping": 0,
            "amount_tax": sum(line["amount_tax"] for line in lines),
        },
    }
