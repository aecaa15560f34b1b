"""Who is in a billing account and as what. An account never loses its last owner."""

from django.db import transaction

from accounts.errors import LastOwner
from accounts.models import BillingAccount, Membership, Role


def change_role(membership: Membership, role: str) -> None:
    """Gives the member another role. Raises LastOwner when the account would be left without one."""
    with transaction.atomic():
        _keep_an_owner(membership, leaving=role != Role.OWNER)
        Membership.objects.filter(pk=membership.pk).update(role=role)
    membership.role = role


def remove(membership: Membership) -> None:
    """Takes the person out of the account. Raises LastOwner. Their API keys stay the account's."""
    with transaction.atomic():
        _keep_an_owner(membership, leaving=True)
        Membership.objects.filter(pk=membership.pk).delete()


def _keep_an_owner(membership: Membership, *, leaving: bool) -> None:
    """Locks the account's row, so that two owners cannot step down at the same moment."""
    BillingAccount.objects.select_for_update(no_key=True).get(pk=membership.account_id)
    owners = Membership.objects.filter(account_id=membership.account_id, role=Role.OWNER)
    others = owners.exclude(pk=membership.pk)
    if leaving and owners.filter(pk=membership.pk).exists() and not others.exists():
        raise LastOwner("An account needs an owner. Make somebody else owner first.")
