"""Prices: the public list, and what one piece of work would cost."""

import hashlib

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from ninja import Router

from billing.api import answers
from billing.api.errors_of import errors
from billing.api.http import once
from billing.api.schemas import EstimateBody
from billing.api.security import CustomerAuth, caller, visitor
from billing.api.work import wanted_of
from billing.services.estimates import estimate

router = Router(tags=["Prices"])
MAX_AGE = 60


@router.get(
    "/pricing",
    auth=None,
    response={200: answers.Pricing, 304: None, **errors(401, keyed=False)},
    summary="Price list",
    openapi_extra={"security": [{}, {"AnyKey": []}]},
)
def pricing(request: HttpRequest) -> HttpResponseBase:
    """The public price list; with a customer's key, what this account pays and may use."""
    from catalog.selectors import public_pricing

    identity = visitor(request)
    if identity is None or identity.account_id is None:
        body = public_pricing()
    else:
        body = public_pricing(identity.profile, mode=identity.mode, plan=identity.plan)
    content = orjson.dumps(body)
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    shared = "public" if identity is None else "private"
    headers = {"ETag": etag, "Cache-Control": f"{shared}, max-age={MAX_AGE}"}
    response: HttpResponseBase
    if _is_current(request, etag):
        response = HttpResponseNotModified(headers=headers)
    else:
        response = HttpResponse(content, content_type="application/json", headers=headers)
    patch_vary_headers(response, ["Authorization"])
    return response


@router.post(
    "/estimate",
    auth=CustomerAuth(),
    response={200: answers.Estimate, **errors(409, 422)},
    summary="Estimate",
)
def estimate_work(request: HttpRequest, body: EstimateBody) -> HttpResponse:
    """What a piece of work should cost. Changes nothing."""
    return once(request, lambda: estimate(caller(request), wanted_of(body)))


def _is_current(request: HttpRequest, etag: str) -> bool:
    known = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in known or etag in (tag.removeprefix("W/") for tag in known)
