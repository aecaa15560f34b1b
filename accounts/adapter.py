"""Where this product differs from allauth's defaults."""

import base64
import hashlib
from typing import Any, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.forms import BaseForm
from django.http import HttpRequest

from accounts.models import EMAIL_LENGTH, User


class AccountAdapter(DefaultAccountAdapter):
    """Sign-up, sign-in and their e-mails."""

    def save_user(self, request: HttpRequest, user: User, form: BaseForm, commit: bool = True) -> User:
        """Two sign-ups at once with one address: the second gets the answer of an address already taken."""
        try:
            with transaction.atomic():
                return cast(User, super().save_user(request, user, form, commit))
        except IntegrityError:
            raise ImmediateHttpResponse(self.respond_email_verification_sent(request, None)) from None

    def clean_email(self, email: str) -> str:
        """allauth would cut an address that is too long for its column."""
        if len(email) > EMAIL_LENGTH:
            raise ValidationError(f"An email address has {EMAIL_LENGTH} characters at most.")
        return cast(str, super().clean_email(email))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        super().send_mail(template_prefix, email, {"brand": settings.BRAND_NAME, **context})


class MFAAdapter(DefaultMFAAdapter):
    """Second factors: authenticator secrets and recovery codes are stored encrypted.

    The keys come from SECRET_KEY and SECRET_KEY_FALLBACKS, so a copy of the database alone opens nothing.
    """

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()


def _cipher() -> MultiFernet:
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = (hashlib.sha256(b"second factors:" + secret.encode()).digest() for secret in secrets)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
