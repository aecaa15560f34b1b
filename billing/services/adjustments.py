"""Corrections by staff: credits given or taken, always with a reason and the person's name."""

import uuid

from accounts.models import BillingAccount, User
from billing.errors import InsufficientCredits, InvalidRequest
from billing.ledger import grants
from billing.ledger.errors import NotEnough
from billing.ledger.models import Transaction
from billing.services.validity import good_until
from catalog.pricing.units import micros_to_text


def adjust(*, account_id: uuid.UUID, micros: int, reason: str, staff: User, nonce: uuid.UUID) -> Transaction:
    """Give (positive) or take (negative) micros of the account's unit. The same nonce adjusts once.

    Given credits become an admin grant, which does not move any expiry clock and lapses with the rest of the
    balance where one runs (profile ``images``). Raises InvalidRequest, InsufficientCredits.
    """
    reason = reason.strip()
    if not micros:
        raise InvalidRequest(
            "Enter an amount other than 0.", [{"field": "amount", "message": "must not be 0"}]
        )
    if not reason:
        raise InvalidRequest(
            "Say why; the customer's history keeps it.", [{"field": "reason", "message": "is required"}]
        )
    # By number: history is for good, and the customer's statement shows all of it.
    key, details = f"adjustment:{nonce.hex}", {"reason": reason, "staff": str(staff.pk)}
    if micros > 0:
        return grants.add(
            account_id=account_id,
            micros=micros,
            source="admin",
            kind="adjustment",
            description=reason[:200],
            key=key,
            expires_at=good_until(BillingAccount.objects.get(pk=account_id)),
            details=details,
        )
    try:
        return grants.withdraw(
            account_id=account_id,
            micros=-micros,
            kind="adjustment",
            description=reason[:200],
            key=key,
            details=details,
        )
    except NotEnough as error:
        raise InsufficientCredits(
            f"{micros_to_text(error.available)} can be taken; the rest is spent or held.",
            required=micros_to_text(error.required),
            available=micros_to_text(error.available),
        ) from error
