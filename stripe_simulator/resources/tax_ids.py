"""Tax ids of customers. The published test values decide what verification says."""

import re

from stripe_simulator.jobs import job
from stripe_simulator.router import route
from stripe_simulator.values import Json, new_id
from stripe_simulator.wire.errors import invalid, missing_object
from stripe_simulator.wire.paging import page
from stripe_simulator.world import Call, World

_OF_CUSTOMER = "/v1/customers/{customer}/tax_ids"
_VERIFIED = ("eu_vat", "gb_vat", "au_abn")
_EU_VAT = re.compile(
    r"(AT|BE|BG|CY|CZ|DE|DK|EE|EL|ES|FI|FR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK|XI)[A-Z0-9]{2,12}"
)
# docs.stripe.com/billing/customer/tax-ids#testing
_TEST_OUTCOMES = {"000000000": "verified", "111111111": "unverified", "222222222": "pending"}


def add(world: World, customer_id: str, given: Json) -> Json:
    """Create one for a customer. Raises tax_id_invalid."""
    kind, value = given["type"], given["value"].strip()
    if kind == "eu_vat" and not _EU_VAT.fullmatch(value.upper()):
        raise invalid(f"Invalid value for {kind}.", param="value", code="tax_id_invalid")
    body = world.put(
        {
            "id": new_id("txi"),
            "object": "tax_id",
            "country": _country(kind, value),
            "created": world.now(),
            "customer": customer_id,
            "customer_account": None,
            "livemode": False,
            "owner": {"customer": customer_id, "customer_account": None, "type": "customer"},
            "type": kind,
            "value": value,
            "verification": _verification("pending" if kind in _VERIFIED else "unavailable"),
        }
    )
    world.emit("customer.tax_id.created", body)
    if kind in _VERIFIED:
        world.later("verify_tax_id", body["id"])
    return body


def _country(kind: str, value: str) -> str | None:
    lead = value[:2] if kind == "eu_vat" else kind[:2]
    return {"EL": "GR"}.get(lead.upper(), lead.upper()) if lead.isalpha() else None


def _verification(status: str) -> Json:
    return {"status": status, "verified_address": None, "verified_name": None}


@job("verify_tax_id")
def verify(world: World, tax_id: str) -> None:
    before = world.store.get(tax_id, "tax_id")
    if before is None or before.get("deleted"):
        return
    digits = before["value"][2:] if before["value"][:2].isalpha() else before["value"]
    after = before | {"verification": _verification(_TEST_OUTCOMES.get(digits, "unverified"))}
    world.put(after)
    world.changed("customer.tax_id.updated", before, after)


@route("POST", _OF_CUSTOMER, "CustomerTaxIdCreateParams")
def create(call: Call) -> Json:
    customer = call.world.existing("customer", call.path["customer"], param="customer")
    return add(call.world, customer["id"], call.params)


@route("GET", _OF_CUSTOMER, "CustomerTaxIdListParams")
def index(call: Call) -> Json:
    customer = call.world.existing("customer", call.path["customer"], param="customer")
    return page(call, "tax_id", f"/v1/customers/{customer['id']}/tax_ids", customer=customer["id"])


@route("GET", _OF_CUSTOMER + "/{id}", "CustomerTaxIdRetrieveParams")
def retrieve(call: Call) -> Json:
    body = call.world.existing("tax_id", call.path["id"])
    if body["customer"] != call.path["customer"]:
        raise missing_object("tax_id", body["id"])
    return body


@route("DELETE", _OF_CUSTOMER + "/{id}", "CustomerTaxIdDeleteParams")
def delete(call: Call) -> Json:
    body = retrieve(call)
    stub = call.world.store.delete({"id": body["id"], "object": "tax_id", "deleted": True})
    call.world.emit("customer.tax_id.deleted", body)
    return stub
