"""What billing does when something happens in accounts."""

from typing import Any

from allauth.account.signals import user_signed_up
from django.dispatch import receiver

from accounts.models import User
from billing.services.accounts import ensure_account


@receiver(user_signed_up, dispatch_uid="open_account_on_sign_up")
def open_account_on_sign_up(user: User, **kwargs: Any) -> None:
    """Each sign-up gets a billing account with itself as owner."""
    ensure_account(user)
