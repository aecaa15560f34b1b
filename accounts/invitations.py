"""Inviting people into a billing account by e-mail.

The link's token has 256 random bits and is stored as SHA-256. It works once, for seven days, for a person
signed in with the invited e-mail address, verified. An account has one open invitation per address.
"""

import hashlib
import secrets
from datetime import timedelta

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import QuerySet
from django.utils.timezone import now

from accounts.errors import (
    AlreadyMember,
    InvitationForSomeoneElse,
    InvitationNotValid,
    TooManyInvitations,
)
from accounts.models import BillingAccount, Invitation, Membership, User

VALID_FOR = timedelta(days=7)
OPEN_AT_MOST = 50
RESEND_AFTER = timedelta(minutes=1)


def invite(*, account: BillingAccount, email: str, role: str, invited_by: User) -> tuple[Invitation, str]:
    """An invitation and its token, to be mailed. Inviting an address again replaces its open invitation.

    Raises AlreadyMember, or TooManyInvitations when fifty are open or this address was just asked.
    """
    email = email.strip().lower()
    if Membership.objects.filter(account=account, user__email__iexact=email).exists():
        raise AlreadyMember(f"{email} is in the team already.")
    with transaction.atomic():
        BillingAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        invitation = _open(account).filter(email__iexact=email).first()
        if invitation is None:
            if _open(account).count() >= OPEN_AT_MOST:
                raise TooManyInvitations(f"{OPEN_AT_MOST} invitations are open. Revoke one first.")
            invitation = Invitation(account=account, email=email)
        invitation.role = role
        invitation.invited_by = invited_by
        return invitation, _renew(invitation)


def resend(invitation: Invitation) -> str:
    """A new token with seven new days; the link sent before stops working."""
    with transaction.atomic():
        locked = Invitation.objects.select_for_update().filter(pk=invitation.pk, accepted_at=None).first()
        if locked is None:
            raise InvitationNotValid("This invitation is not open any more.")
        return _renew(locked)


def revoke(invitation: Invitation) -> None:
    """The link stops working; an invitation already accepted stays as the record of it."""
    Invitation.objects.filter(pk=invitation.pk, accepted_at=None).delete()


def find(token: str) -> Invitation:
    """The open invitation behind a link. Raises InvitationNotValid."""
    return _valid(Invitation.objects.select_related("account", "invited_by"), token)


def accept(*, token: str, user: User) -> Membership:
    """Makes the person a member; who is one already keeps the role they have.

    Raises InvitationNotValid, or InvitationForSomeoneElse unless the invited address is theirs and verified.
    """
    with transaction.atomic():
        # The account first, as whoever closes it does: nobody joins what is being closed.
        BillingAccount.objects.select_for_update(no_key=True).get(pk=find(token).account_id)
        invitation = _valid(
            Invitation.objects.select_for_update(of=("self",)).select_related("account"), token
        )
        if not EmailAddress.objects.filter(user=user, verified=True, email__iexact=invitation.email).exists():
            raise InvitationForSomeoneElse(
                f"This invitation was sent to {invitation.email}. You are signed in as {user.email}."
            )
        membership, _ = Membership.objects.get_or_create(
            account=invitation.account, user=user, defaults={"role": invitation.role}
        )
        Invitation.objects.filter(pk=invitation.pk).update(accepted_at=now())
        return membership


def _open(account: BillingAccount) -> QuerySet[Invitation]:
    return Invitation.objects.filter(account=account, accepted_at=None)


def _renew(invitation: Invitation) -> str:
    """Puts a new token on the invitation and saves it. Mail to one address goes out once a minute at most."""
    moment = now()
    if invitation.pk and invitation.expires_at - VALID_FOR > moment - RESEND_AFTER:
        raise TooManyInvitations(f"{invitation.email} was invited a moment ago. Try again in a minute.")
    token = secrets.token_urlsafe(32)
    invitation.token_digest = _digest(token)
    invitation.expires_at = moment + VALID_FOR
    invitation.save()
    return token


def _valid(candidates: QuerySet[Invitation], token: str) -> Invitation:
    invitation = candidates.filter(token_digest=_digest(token)).first()
    usable = invitation is not None and invitation.accepted_at is None and now() < invitation.expires_at
    if invitation is None or not usable or invitation.account.status != BillingAccount.Status.ACTIVE:
        raise InvitationNotValid("This invitation was used, revoked or is older than seven days.")
    return invitation


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
