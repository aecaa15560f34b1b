"""One page of a keyset-paginated list."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from portal_client import reading

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """``next_cursor`` is None on the last page."""

    data: tuple[T, ...]
    next_cursor: str | None
    raw: reading.Json


def read_page(source: reading.Json, build: Callable[[reading.Json], T]) -> Page[T]:
    return Page(
        data=tuple(build(item) for item in reading.children(source, "data")),
        next_cursor=reading.optional_text(source, "next_cursor"),
        raw=source,
    )
