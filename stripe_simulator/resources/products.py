"""Products, and their (empty) list of entitlement features."""

from stripe_simulator.router import route
from stripe_simulator.values import Json, new_id
from stripe_simulator.wire.errors import StripeError, invalid
from stripe_simulator.wire.merging import merged_metadata, new_metadata
from stripe_simulator.wire.paging import listing, page
from stripe_simulator.world import Call, World

_URL = "/v1/products"
_PLAIN = (
    "active",
    "default_price",
    "description",
    "name",
    "shippable",
    "statement_descriptor",
    "tax_code",
    "unit_label",
    "url",
)


def build(params: Json, now: int) -> Json:
    return {
        "id": params.get("id") or new_id("prod"),
        "object": "product",
        "active": params.get("active", True),
        "created": now,
        "default_price": None,
        "description": params.get("description"),
        "images": params.get("images") or [],
        "livemode": False,
        "marketing_features": params.get("marketing_features") or [],
        "metadata": new_metadata(params),
        "name": params["name"],
        "package_dimensions": _dimensions(params.get("package_dimensions")),
        "shippable": params.get("shippable"),
        "statement_descriptor": params.get("statement_descriptor"),
        "tax_code": params.get("tax_code"),
        "type": params.get("type") or "service",
        "unit_label": params.get("unit_label"),
        "updated": now,
        "url": params.get("url"),
    }


def _dimensions(given: Json | None) -> Json | None:
    """Inches and ounces: the one place where the API has real numbers."""
    return {name: float(value) for name, value in given.items()} if given else None


@route("POST", _URL, "ProductCreateParams")
def create(call: Call) -> Json:
    from stripe_simulator.resources.prices import make

    if call.get("id") and call.world.store.get(call["id"]):
        raise StripeError("Product already exists.", code="resource_already_exists")
    product = call.world.put(build(call.params, call.world.now()))
    call.world.emit("product.created", product)
    if call.get("default_price_data"):
        price = make(call.world, call["default_price_data"] | {"product": product["id"]})
        product = call.world.put(product | {"default_price": price["id"]})
    return product


@route("GET", _URL, "ProductListParams")
def index(call: Call) -> Json:
    ids = call.get("ids")
    if ids:
        found = [body for body in map(call.world.store.get, ids) if body and not body.get("deleted")]
        return listing(found, _URL)
    return page(
        call, "product", _URL, active=call.get("active"), url=call.get("url"), shippable=call.get("shippable")
    )


@route("GET", _URL + "/{id}", "ProductRetrieveParams")
def retrieve(call: Call) -> Json:
    return call.world.existing("product", call.path["id"])


@route("POST", _URL + "/{id}", "ProductUpdateParams")
def update(call: Call) -> Json:
    before = retrieve(call)
    after = before | {name: call[name] for name in _PLAIN if name in call.params}
    if call.get("default_price"):
        call.world.referenced("price", call["default_price"], "default_price")
    for name in ("images", "marketing_features"):
        if name in call.params:
            after[name] = call[name] or []
    after |= {"metadata": merged_metadata(before, call.params), "updated": call.world.now()}
    call.world.put(after)
    call.world.changed("product.updated", before, after)
    return after


@route("DELETE", _URL + "/{id}", "ProductDeleteParams")
def delete(call: Call) -> Json:
    product = retrieve(call)
    if call.world.store.find("price", product=product["id"]):
        raise invalid(
            "This product cannot be deleted because it has one or more user-created prices.", param="id"
        )
    stub = call.world.store.delete({"id": product["id"], "object": "product", "deleted": True})
    call.world.emit("product.deleted", product)
    return stub


@route("GET", _URL + "/{id}/features", "ProductFeatureListParams")
def features(call: Call) -> Json:
    product = retrieve(call)
    return listing([], f"{_URL}/{product['id']}/features")


def made_inline(world: World, params: Json) -> Json:
    """The product of a price that was given by value, as Checkout makes it."""
    product = world.put(build(params, world.now()) | {"active": False})
    world.emit("product.created", product)
    return product
