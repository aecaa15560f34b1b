"""Corrections by staff: credits given or taken, always with a reason and the person's name.

Up to the profile's limit (``[terms.adjustments]``) one person posts them alone; above it, in either direction, another
one has to approve (docs/operations.md).
"""

import uuid

from django.db import transaction
from django.utils.timezone import now

from accounts.models import BillingAccount, User
from billing.errors import Forbidden, InsufficientCredits, InvalidRequest, InvalidState
from billing.ledger import grants
from billing.ledger.errors import NotEnough
from billing.ledger.models import Transaction
from billing.ledger.post import lock
from billing.models import AdjustmentRequest
from billing.services.validity import good_until
from catalog import snapshot
from catalog.pricing.units import micros_to_text

Status = AdjustmentRequest.Status


@transaction.atomic
def adjust(
    *, account_id: uuid.UUID, micros: int, reason: str, staff: User, nonce: uuid.UUID
) -> AdjustmentRequest:
    """Give (positive) or take (negative) micros of the account's unit: at once up to the limit, above it once approved.

    The same nonce adjusts once. Given credits become an admin grant, which does not move any expiry clock and lapses
    with the rest of the balance where one runs (profile ``images``). Raises InvalidRequest, InvalidState (the nonce was
    used for something else), InsufficientCredits.
    """
    _check(micros, reason)
    account = BillingAccount.objects.get(pk=account_id)
    known = AdjustmentRequest.objects.filter(nonce=nonce).first()
    if known is not None and (known.account_id, known.micros) != (account_id, micros):
        raise InvalidState("This form was sent before, with another amount. Open it again.")
    if known is not None and known.status != Status.WITHIN:
        return known
    unit = lock(account_id)[account_id].unit
    asked = AdjustmentRequest(
        account=account,
        nonce=nonce,
        micros=micros,
        unit=unit,
        reason=reason.strip()[:200],
        approve_above=approve_above(account, unit),
        asked_by_id=staff.pk,
        status=Status.PENDING,
    )
    if known is not None or abs(micros) <= asked.approve_above:
        asked.status, asked.transaction_id = Status.WITHIN, _post(asked).pk
    columns = {field.attname: getattr(asked, field.attname) for field in asked._meta.concrete_fields}
    return AdjustmentRequest.objects.get_or_create(nonce=nonce, defaults=columns)[0]


def approve_above(account: BillingAccount, unit: str) -> int:
    """The most micros of the unit that one person may give or take alone."""
    return snapshot.current().terms(account.profile).adjustments.above(unit)


@transaction.atomic
def approve(request_id: uuid.UUID, *, by: User) -> AdjustmentRequest:
    """Post what somebody else asked for; whoever is second posts nothing.

    Raises Forbidden to who asked, InvalidState once it is decided or the account changed its unit, InsufficientCredits.
    """
    row = _to_decide(request_id, by)
    if (unit := lock(row.account_id)[row.account_id].unit) != row.unit:
        raise InvalidState(f"The account is counted in {unit} now. Decline this, and ask again.")
    row.status, row.transaction_id = Status.APPROVED, _post(row).pk
    return _decided(row, by)


@transaction.atomic
def decline(request_id: uuid.UUID, *, by: User, reason: str) -> AdjustmentRequest:
    """Nothing is posted; who asked reads why.

    Raises Forbidden to who asked, InvalidRequest without a reason, InvalidState once it is decided.
    """
    if not reason.strip():
        raise InvalidRequest("Say why; who asked reads it.", [{"field": "reason", "message": "is required"}])
    row = _to_decide(request_id, by)
    row.status, row.decided_because = Status.DECLINED, reason.strip()[:200]
    return _decided(row, by)


def _check(micros: int, reason: str) -> None:
    if not micros:
        raise InvalidRequest(
            "Enter an amount other than 0.", [{"field": "amount", "message": "must not be 0"}]
        )
    if not reason.strip():
        raise InvalidRequest(
            "Say why; the customer's history keeps it.", [{"field": "reason", "message": "is required"}]
        )


def _to_decide(request_id: uuid.UUID, by: User) -> AdjustmentRequest:
    """The pending request, locked before the balance. The database refuses a decision by who asked as well."""
    row = AdjustmentRequest.objects.select_for_update().get(pk=request_id)
    if row.asked_by_id == by.pk:
        raise Forbidden("You asked for this adjustment; somebody else has to decide about it.")
    if row.status != Status.PENDING:
        raise InvalidState(f"This adjustment is {row.get_status_display().lower()} already.")
    return row


def _decided(row: AdjustmentRequest, by: User) -> AdjustmentRequest:
    row.decided_by, row.decided_at = by, now()
    row.save(update_fields=["status", "transaction_id", "decided_by", "decided_at", "decided_because"])
    return row


def _post(row: AdjustmentRequest) -> Transaction:
    """Post the adjustment under its nonce, once whoever asks. Raises InsufficientCredits."""
    # People by number: history is for good, and the customer's statement shows all of it.
    key, details = f"adjustment:{row.nonce.hex}", {"reason": row.reason, "staff": str(row.asked_by_id)}
    if row.micros > 0:
        return grants.add(
            account_id=row.account_id,
            micros=row.micros,
            source="admin",
            kind="adjustment",
            description=row.reason,
            key=key,
            expires_at=good_until(row.account),
            details=details,
        )
    try:
        return grants.withdraw(
            account_id=row.account_id,
            micros=-row.micros,
            kind="adjustment",
            description=row.reason,
            key=key,
            details=details,
        )
    except NotEnough as error:
        raise InsufficientCredits(
            f"{micros_to_text(error.available)} can be taken; the rest is spent or held.",
            required=micros_to_text(error.required),
            available=micros_to_text(error.available),
        ) from error
