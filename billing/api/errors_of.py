"""Which problems an operation may answer: the part of its documentation that is the same everywhere."""

from typing import Any

from billing.api.answers import Problem

ANY = (422, 429, 500, 503)
KEYED = (401, 403, *ANY)


def errors(*statuses: int, keyed: bool = True) -> dict[int, Any]:
    """The ``response=`` entries of an operation that may also answer these statuses."""
    return dict.fromkeys(sorted({*statuses, *(KEYED if keyed else ANY)}), Problem)
