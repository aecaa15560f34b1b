"""Where this product differs from allauth's defaults."""

from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.db import IntegrityError, transaction
from django.forms import BaseForm
from django.http import HttpRequest

from accounts.models import User


class AccountAdapter(DefaultAccountAdapter):
    """Sign-up, sign-in and their e-mails."""

    def save_user(self, request: HttpRequest, user: User, form: BaseForm, commit: bool = True) -> User:
        """Two sign-ups at once with one address: the second gets the answer of an address already taken."""
        try:
            with transaction.atomic():
                return cast(User, super().save_user(request, user, form, commit))
        except IntegrityError:
            raise ImmediateHttpResponse(self.respond_email_verification_sent(request, None)) from None

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        super().send_mail(template_prefix, email, {"brand": settings.BRAND_NAME, **context})
