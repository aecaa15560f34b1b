"""How a request changes an object that exists: metadata merges, an empty value unsets."""

from stripe_simulator.values import Json


def metadata(before: Json, given: Json | None, *, present: bool) -> Json:
    """Keys are merged; a key posted empty is removed; an empty `metadata` removes all of them."""
    if not present:
        return dict(before)
    if not given:
        return {}
    return {key: value for key, value in (before | given).items() if value != ""}


def merged_metadata(body: Json, params: Json) -> Json:
    return metadata(body.get("metadata") or {}, params.get("metadata"), present="metadata" in params)


def new_metadata(params: Json) -> Json:
    return metadata({}, params.get("metadata"), present="metadata" in params)


_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


def address(given: Json | None) -> Json | None:
    """A complete address hash, or None when nothing was given."""
    return {name: given.get(name) for name in _ADDRESS} if given else None


def shipping(given: Json | None, *, with_carrier: bool) -> Json | None:
    if not given:
        return None
    shown = {"address": address(given.get("address")), "name": given.get("name"), "phone": given.get("phone")}
    if with_carrier:
        shown |= {"carrier": given.get("carrier"), "tracking_number": given.get("tracking_number")}
    return shown
