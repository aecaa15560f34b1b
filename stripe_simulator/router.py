"""Which function answers which method and path. Resources register themselves with `@route`."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from stripe_simulator.values import Json
from stripe_simulator.wire.parameters import Shape, shape
from stripe_simulator.world import Call

Handler = Callable[[Call], Json]


@dataclass(frozen=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    template: str
    params: Shape | None
    handler: Handler

    def fill(self, value: Callable[[str], str]) -> str:
        """The path with a value for each placeholder, by its name."""
        return re.sub(r"\{(\w+)\}", lambda match: value(match[1]), self.template)


_ROUTES: list[Route] = []


def route(method: str, template: str, params: str | None = None) -> Callable[[Handler], Handler]:
    """`template` like `/v1/customers/{customer}`; `params` the SDK's name of their type, None to take any."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))

    def register(handler: Handler) -> Handler:
        _ROUTES.append(Route(method, pattern, template, shape(params) if params else None, handler))
        # A literal segment wins over a placeholder: /v1/charges/search before /v1/charges/{charge}.
        _ROUTES.sort(key=lambda entry: entry.template.count("{"))
        return handler

    return register


def all_routes() -> list[Route]:
    return list(_ROUTES)


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    for entry in _ROUTES:
        if entry.method == method and (match := entry.pattern.fullmatch(path)):
            return entry, match.groupdict()
    return None
