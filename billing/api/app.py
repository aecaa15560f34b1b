"""The API: every router, one parser, one way of telling errors."""

from typing import Any, Final

from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from ninja import NinjaAPI
from ninja.parser import Parser

from billing.api import (
    account_views,
    charge_views,
    credits_views,
    history_views,
    invoice_views,
    key_views,
    price_views,
    problems,
    usage_views,
)
from billing.api.body import LARGEST, LARGEST_BATCH, parse
from billing.errors import InvalidRequest

ABOUT: Final = """Balances, prices, charges and top-ups of your billing account.

Amounts are decimal strings in the account's unit, times are RFC 3339 UTC, errors are RFC 9457 problems.
"""


class StrictParser(Parser):
    """Bodies by ``body.parse``; of a query each name once."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        return parse(request.body, LARGEST_BATCH if request.path.endswith("/batch") else LARGEST)

    def parse_querydict(
        self, data: MultiValueDict[str, Any], list_fields: list[str], request: HttpRequest
    ) -> dict[str, Any]:
        twice = [name for name, values in data.lists() if len(values) > 1]
        if twice:
            raise InvalidRequest(
                "The query names a parameter more than once.",
                [{"field": name[:80], "message": "is given more than once"} for name in twice],
            )
        return {name: data[name] for name in data}


api: Final = NinjaAPI(
    title="Billing portal",
    version="1",
    description=ABOUT,
    parser=StrictParser(),
    openapi_url=None,
    docs_url=None,
    urls_namespace="api",
)
problems.install(api)
api.add_router("/v1", account_views.router)
api.add_router("/v1", usage_views.router)
api.add_router("/v1", history_views.router)
api.add_router("/v1", price_views.router)
api.add_router("/v1", charge_views.router)
api.add_router("/v1", key_views.router)
api.add_router("/v1", invoice_views.router)
api.add_router("/api", credits_views.router)
