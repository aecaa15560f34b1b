"""`/v1/…/search`: clauses joined by AND or OR, comparisons, metadata, negation. Never behind."""

import re
from collections.abc import Callable
from typing import Any

from stripe_simulator.values import Json
from stripe_simulator.wire.errors import StripeError, invalid
from stripe_simulator.wire.paging import bounded_limit
from stripe_simulator.world import Call

_CLAUSE = re.compile(
    r"""\s*(?P<not>-)?(?P<field>[a-z_.]+)(?:\[["'](?P<key>[^"']*)["']\])?\s*(?P<op>:|~|>=|<=|>|<)\s*"""
    r"""(?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'|(?P<plain>-?\d+|null|NULL|true|false))\s*"""
)
_JOIN = re.compile(r"(AND|OR|and|or)\b")

Test = Callable[[Json], bool]


def search(call: Call, kind: str, url: str) -> Json:
    """A search result object. The page token is the offset as text."""
    matches = parsed(call["query"])
    found = [body for body in call.world.store.find(kind) if matches(body)]
    start = int(call.get("page") or 0) if str(call.get("page") or 0).isdigit() else 0
    limit = bounded_limit(call)
    more = len(found) > start + limit
    return {
        "object": "search_result",
        "data": found[start : start + limit],
        "has_more": more,
        "next_page": str(start + limit) if more else None,
        "url": url,
    }


def parsed(query: str) -> Test:
    """Raises StripeError for a query that is not understood."""
    tests: list[Test] = []
    joins: set[str] = set()
    position = 0
    while True:
        clause = _CLAUSE.match(query, position)
        if not clause:
            raise _unreadable(query)
        tests.append(_test(clause))
        position = clause.end()
        if position >= len(query):
            break
        join = _JOIN.match(query, position)
        if join is None:
            raise _unreadable(query)
        joins.add(join[1].upper())
        position = join.end()
    if len(joins) > 1:
        raise invalid("You may not mix AND and OR in one search query.", param="query")
    combine = any if "OR" in joins else all
    return lambda body: combine(test(body) for test in tests)


def _unreadable(query: str) -> StripeError:
    return invalid(
        f"We were unable to parse your search query: {query}. "
        'Try using the format `metadata["key"]:"value"` to query '
        'for metadata or key:"value" to query for other fields.',
        param="query",
    )


def _test(clause: re.Match[str]) -> Test:
    wanted = next((clause[name] for name in ("double", "single", "plain") if clause[name] is not None), "")
    wanted = re.sub(r"\\(.)", r"\1", wanted)
    field, key, operator = clause["field"], clause["key"], clause["op"]
    if clause["plain"] and wanted.lower() == "null":
        return _negated(clause, lambda body: _value(body, field, key) is None)
    return _negated(clause, lambda body: _compare(_value(body, field, key), operator, wanted))


def _negated(clause: re.Match[str], test: Test) -> Test:
    return (lambda body: not test(body)) if clause["not"] else test


def _value(body: Json, field: str, key: str | None) -> Any:
    value: Any = body
    for step in [*field.split("."), *([key] if key is not None else [])]:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _compare(value: Any, operator: str, wanted: str) -> bool:
    if value is None:
        return False
    if operator == "~":
        return wanted.lower() in str(value).lower()
    if operator == ":":
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return text.lower() == wanted.lower()
    if not isinstance(value, int) or not wanted.lstrip("-").isdigit():
        return False
    number = int(wanted)
    return {">": value > number, ">=": value >= number, "<": value < number, "<=": value <= number}[operator]
