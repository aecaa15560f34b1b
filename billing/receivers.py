"""What billing does when something happens in accounts."""

import logging
from typing import Any

from allauth.account.signals import user_signed_up
from django.dispatch import receiver

from accounts.models import User
from accounts.signals import account_needed
from billing.errors import InvalidRequest
from billing.services.accounts import ensure_account

logger = logging.getLogger(__name__)


@receiver(user_signed_up, dispatch_uid="open_account_on_sign_up")
@receiver(account_needed, dispatch_uid="open_account_on_first_page")
def open_account_for(user: User, **kwargs: Any) -> None:
    """Each sign-up gets a billing account with itself as owner; so does who has none, on their first page.

    Without a default profile nobody can have one yet: signing up works, and the first page opens it later.
    """
    try:
        ensure_account(user)
    except InvalidRequest:
        logger.exception("no billing account opened", extra={"user": user.pk})
