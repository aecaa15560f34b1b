"""The door in front of dj-stripe's webhook: only what Stripe signed for this endpoint, just now, gets in.

Everything else is answered 400 and leaves no trace. dj-stripe mirrors the event then; its receivers keep what
matters for money in the inbox, inside its transaction. Then the inbox row is carried out. Money does not
wait for the mirror: where dj-stripe fails, the event is kept all the same, and Stripe is asked to deliver
it again.
"""

import json
import logging
import re
import time
import uuid as uuids
from typing import Any, Final

import stripe
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseNotFound
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from djstripe.models import WebhookEndpoint
from djstripe.views import ProcessWebhookView

from billing.services import inbox

log = logging.getLogger(__name__)

MOST_BYTES: Final = 1_000_000
TOLERANCE_SECONDS: Final = 300
_TIMESTAMP = re.compile(r"(?:^|,)t=([0-9]{1,12})(?:,|$)", re.ASCII)

_mirror = ProcessWebhookView.as_view()


class Refused(Exception):
    """What came is not an event that Stripe sent to this endpoint."""


@csrf_exempt
@require_POST
@login_not_required
@transaction.non_atomic_requests
def receive(request: HttpRequest, uuid: uuids.UUID) -> HttpResponse:
    """POST /stripe/webhook/<uuid>/ from Stripe."""
    endpoint = WebhookEndpoint.objects.filter(djstripe_uuid=uuid).first()
    if endpoint is None:
        return HttpResponseNotFound()
    try:
        body = _body(request)
        _check_signature(request, body, endpoint)
        event = _event(body)
        _check_origin(event, endpoint)
    except Refused as refusal:
        log.warning("webhook refused: %s", refusal)
        return HttpResponseBadRequest(str(refusal), content_type="text/plain")
    _for_the_mirror(request, body, endpoint)
    try:
        response: HttpResponse = _mirror(request, uuid=uuid)
    except Exception as error:
        log.exception("dj-stripe could not mirror %s", event["id"])
        with transaction.atomic():
            inbox.receive(event)
            inbox.note_mirror_error(event["id"], f"{type(error).__name__}: {error}")
        response = HttpResponse("kept, not mirrored", status=503, content_type="text/plain")
    inbox.finish(event["id"])
    return response


def _body(request: HttpRequest) -> str:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > MOST_BYTES:
        raise Refused("too large")
    body = request.body
    if len(body) > MOST_BYTES:
        raise Refused("too large")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("not UTF-8") from None


def _check_signature(request: HttpRequest, body: str, endpoint: WebhookEndpoint) -> None:
    """Signed with one of the endpoint's secrets (two, while one is rotated), and just now, by both clocks."""
    header = request.META.get("HTTP_STRIPE_SIGNATURE", "")
    stamp = _TIMESTAMP.search(header)
    if stamp is None:
        raise Refused("no signature")
    if abs(time.time() - int(stamp[1])) > TOLERANCE_SECONDS:
        raise Refused("signed too long ago or in the future")
    if not any(_signed_with(secret, header, body) for secret in _secrets(endpoint)):
        raise Refused("wrong signature")


def _secrets(endpoint: WebhookEndpoint) -> set[str]:
    return {secret for secret in (endpoint.secret, *settings.STRIPE_WEBHOOK_SECRET.split(",")) if secret}


def _signed_with(secret: str, header: str, body: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, header, secret)
    except stripe.SignatureVerificationError:
        return False
    return True


def _event(body: str) -> dict[str, Any]:
    """The body as an event that the database can keep. Raises Refused."""
    try:
        event = json.loads(body, parse_constant=_refuse_constant)
        again = json.dumps(event, ensure_ascii=False, allow_nan=False)
        again.encode("utf-8")
    except (ValueError, RecursionError):
        raise Refused("not JSON") from None
    if "\\u0000" in again:
        raise Refused("holds a NUL")
    if not isinstance(event, dict) or event.get("object") != "event":
        raise Refused("not an event")
    data = event.get("data")
    thing = data.get("object") if isinstance(data, dict) else None
    texts = (event.get("id"), event.get("type"))
    if not all(isinstance(text, str) and 0 < len(text) <= 250 for text in texts):
        raise Refused("not an event")
    if not isinstance(thing, dict) or not isinstance(thing.get("object"), str):
        raise Refused("not an event")
    return event


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _check_origin(event: dict[str, Any], endpoint: WebhookEndpoint) -> None:
    """From the mode we run in, and from our own Stripe account: connected accounts are not ours to bill."""
    if (
        event.get("livemode") is not settings.STRIPE_LIVE_MODE
        or endpoint.livemode is not settings.STRIPE_LIVE_MODE
    ):
        raise Refused("wrong mode")
    if event.get("account"):
        raise Refused("wrong account")


def _for_the_mirror(request: HttpRequest, body: str, endpoint: WebhookEndpoint) -> None:
    """dj-stripe knows one secret and trusts some headers; it gets what was checked here, signed with that
    secret.
    """
    for header in ("HTTP_X_FORWARDED_FOR", "HTTP_X_DJSTRIPE_WEBHOOK_SECRET"):
        request.META.pop(header, None)
    request.META["HTTP_STRIPE_SIGNATURE"] = stripe.WebhookSignature.generate_signature_header(
        body, endpoint.secret
    )
    request.__dict__.pop("headers", None)
    request.encoding = "utf-8"
