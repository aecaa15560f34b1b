"""Lists: newest first, cursors by object id, filters by field and by creation time."""

from typing import Any

from stripe_simulator.values import Json
from stripe_simulator.wire.errors import invalid, invalid_integer, missing_object
from stripe_simulator.world import Call, World

_DEFAULT, _MOST = 10, 100
_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def page(call: Call, kind: str, url: str, /, **equals: Any) -> Json:
    """The list object of `kind`, filtered by the fields that are not None (`a__b` is `b` of the hash `a`).

    A list as value means any of them; one with `%` is a pattern.
    """
    where, values = ["kind = ?"], [kind]
    for name, value in equals.items():
        if value is not None:
            _filter(name, value, where, values)
    _created(call.get("created"), where, values)
    limit = bounded_limit(call)
    backwards = _cursor(call, kind, where, values)
    order = "ASC" if backwards else "DESC"
    rows = call.world.store.rows(" AND ".join(where), values, order=order, limit=limit + 1)
    data = [body for _, body in rows[:limit]]
    if backwards:
        data.reverse()
    return listing(data, url, has_more=len(rows) > limit)


def _filter(name: str, value: Any, where: list[str], values: list[Any]) -> None:
    field = f"json_extract(body, '$.{name.replace('__', '.')}')"
    if isinstance(value, list):
        where.append(
            f"({' OR '.join(f'{field} LIKE ?' if '%' in item else f'{field} = ?' for item in value)})"
        )
        values.extend(value)
    else:
        where.append(f"{field} = ?")
        values.append(value)


def listing(data: list[Json], url: str, *, has_more: bool = False) -> Json:
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def bounded_limit(call: Call) -> int:
    limit = call.get("limit")
    if limit is None:
        return _DEFAULT
    if limit < 1:
        message = f"This value must be greater than or equal to 1 (it currently is '{limit}')."
        raise invalid_integer("limit", message)
    if limit > _MOST:
        message = f"This value must be less than or equal to {_MOST} (it currently is '{limit}')."
        raise invalid_integer("limit", message)
    return int(limit)


def _created(created: Any, where: list[str], values: list[Any]) -> None:
    if isinstance(created, int):
        where.append("created = ?")
        values.append(created)
    elif isinstance(created, dict):
        for name, value in created.items():
            where.append(f"created {_COMPARISONS[name]} ?")
            values.append(value)


def _cursor(call: Call, kind: str, where: list[str], values: list[Any]) -> bool:
    """Adds the cursor's condition; True when the page is read towards newer objects."""
    after, before = call.get("starting_after"), call.get("ending_before")
    if after and before:
        raise invalid("You cannot parameterize `starting_after` and `ending_before` at the same time.")
    if not (after or before):
        return False
    where.append("seq < ?" if after else "seq > ?")
    values.append(
        _position(call.world, kind, after or before, "starting_after" if after else "ending_before")
    )
    return bool(before)


def _position(world: World, kind: str, object_id: str, param: str) -> int:
    seq = world.store.seq(object_id)
    if seq is None or world.store.get(object_id, kind) is None:
        raise missing_object(kind, object_id, param=param, status=400)
    return seq
