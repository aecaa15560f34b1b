"""Prices: the public list, and what one piece of work would cost."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from ninja import Query, Router

from billing.api import price_answers
from billing.api.body import encode
from billing.api.errors_of import errors
from billing.api.http import once
from billing.api.schemas import AsOfQuery, EstimateBody, PricingQuery
from billing.api.security import CustomerAuth, caller, visitor
from billing.api.work import wanted_of
from billing.errors import NotFound, ServiceUnavailable
from billing.selectors.account_prices import account_pricing
from billing.selectors.identities import Identity
from billing.services.estimates import estimate
from catalog.selectors import default_profile, public_pricing
from catalog.snapshot import UnknownProfile

router = Router(tags=["Prices"])
MAX_AGE = 60


@router.get(
    "/pricing",
    auth=None,
    response={200: price_answers.Pricing, 304: None, **errors(401, 404, keyed=False)},
    summary="Price list",
    openapi_extra={"security": [{}, {"AnyKey": []}]},
)
def pricing(request: HttpRequest, query: Query[PricingQuery]) -> HttpResponseBase:
    """The public price list; with a customer's key, what this account pays and may use.

    `as_of` asks for the prices of another moment, past or scheduled. Answers 304 to a matching `If-None-Match`.
    """
    identity = visitor(request)
    body = _prices(identity, query.profile, query.as_of)
    etag = f'"{body["version"]}"'
    shared = "public" if identity is None else "private"
    headers = {"ETag": etag, "Cache-Control": f"{shared}, max-age={MAX_AGE}"}
    response: HttpResponseBase
    if _is_current(request, etag):
        response = HttpResponseNotModified(headers=headers)
    else:
        response = HttpResponse(encode(body), content_type="application/json", headers=headers)
    patch_vary_headers(response, ["Authorization"])
    return response


@router.post(
    "/estimate",
    auth=CustomerAuth(),
    response={200: price_answers.Estimate, **errors(409)},
    summary="Estimate",
)
def estimate_work(request: HttpRequest, body: EstimateBody, query: Query[AsOfQuery]) -> HttpResponse:
    """What a piece of work should cost this account, and whether it could have it now. Changes nothing.

    `as_of` asks by the prices of another moment, past or scheduled; balance and gates are those of now.
    """
    return once(request, lambda: estimate(caller(request), wanted_of(body), query.as_of))


def _prices(identity: Identity | None, profile: str | None, at: datetime | None) -> dict[str, Any]:
    """The list as this caller pays it. Raises NotFound, and ServiceUnavailable before any list is loaded."""
    if identity is not None and identity.account_id is not None:
        return account_pricing(identity, at, only_available=True)
    if profile is None:
        try:
            profile = default_profile()
        except UnknownProfile as error:
            raise ServiceUnavailable("There is no price list yet.") from error
    try:
        return public_pricing(profile, at=at)
    except UnknownProfile as error:
        raise NotFound("There is no such price list.") from error


def _is_current(request: HttpRequest, etag: str) -> bool:
    known = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in known or etag in (tag.removeprefix("W/") for tag in known)
