"""Whose key is this: for the generation service, before it starts work."""

from django.http import HttpRequest, HttpResponse
from ninja import Router

from billing.api import answers
from billing.api.errors_of import errors
from billing.api.http import once
from billing.api.schemas import VerifyBody
from billing.api.security import ServiceAuth
from billing.selectors import identities
from config.ids import public_id

router = Router(auth=ServiceAuth(), tags=["Keys"])


@router.post("/keys/verify", response={200: answers.KeyCheck, **errors(409, 422)}, summary="Verify a key")
def verify(request: HttpRequest, body: VerifyBody) -> HttpResponse:
    """Whether a customer's key works now, and whose it is. Nothing is said of keys that do not."""
    return once(request, lambda: _checked(body.api_key))


def _checked(text: str) -> dict[str, object]:
    found = identities.by_key(text)
    if found is None or found.account_id is None:
        return {"valid": False, "account": None, "plan": None, "mode": None}
    return {
        "valid": True,
        "account": public_id("acct", found.account_id),
        "plan": found.plan or None,
        "mode": found.mode,
    }
