"""Batches of authorizations: every entry is checked, priced and decided for itself, and answered in its place."""

import hashlib
from collections.abc import Mapping, Sequence

from billing.api import work
from billing.api.body import invalid_body
from billing.api.problems import problem
from billing.api.schemas import AuthorizeBody, validated
from billing.errors import Refusal
from billing.selectors.identities import Handle, Identity
from billing.services.batches import Item, Result
from billing.services.charges import Body, Caller

Entry = tuple[AuthorizeBody, Handle | None]
"""What an entry asks for, and what its customer is found by."""


def entries_of(bodies: Sequence[object]) -> list[Entry | Refusal]:
    """Each body checked by itself."""
    return [_entry(body) for body in bodies]


def handles_of(entries: Sequence[Entry | Refusal]) -> set[Handle]:
    """Everybody the entries name."""
    named = (entry[1] for entry in entries if not isinstance(entry, Refusal))
    return {handle for handle in named if handle is not None}


def items_of(
    entries: Sequence[Entry | Refusal],
    found: Mapping[Handle, Identity],
    service: Identity,
    key: str | None = None,
    digest: str = "",
) -> list[Item | Refusal]:
    """What the charges service takes. ``key`` and ``digest`` are the batch's Idempotency-Key and body."""
    # Each entry has a key of its own, so that a batch cut off in the middle can be sent again.
    prefix = None if key is None else hashlib.sha256(f"batch:{key}".encode()).hexdigest()
    same = work.caller_of(service, None, "")
    items: list[Item | Refusal] = []
    for place, entry in enumerate(entries):
        caller = same if prefix is None else work.caller_of(service, f"{prefix}:{place}", digest)
        items.append(entry if isinstance(entry, Refusal) else _item(entry, found, caller))
    return items


def answer_of(results: Sequence[Result]) -> Body:
    """The answer of the whole: for each entry its charge or its problem."""
    return {"data": [problem(result)[1] if isinstance(result, Refusal) else result for result in results]}


def _entry(body: object) -> Entry | Refusal:
    try:
        if not isinstance(body, dict):
            raise invalid_body("is not a JSON object")
        asked = validated(AuthorizeBody, body)
    except Refusal as refusal:
        return refusal
    return asked, work.handle_of(asked)


def _item(entry: Entry, found: Mapping[Handle, Identity], caller: Caller) -> Item | Refusal:
    asked, handle = entry
    try:
        return Item(work.customer_among(asked, handle, found), work.wanted_of(asked), caller)
    except Refusal as refusal:
        return refusal
