"""Mail about accounts: HTML with a text twin. Allauth's own mails are in templates/account/email."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.models import Invitation

logger = logging.getLogger(__name__)


def send_invitation(request: HttpRequest, invitation: Invitation, token: str) -> bool:
    """Sends the link to the invited address. False when the mail server did not take it."""
    context = {
        "brand": settings.BRAND_NAME,
        "invitation": invitation,
        "account": invitation.account,
        "inviter": invitation.invited_by,
        "role": invitation.get_role_display().lower(),
        "url": request.build_absolute_uri(reverse("invitation", args=[token])),
    }
    return _send("emails/invitation", invitation.email, context)


def _send(template: str, to: str, context: dict[str, object]) -> bool:
    subject = " ".join(render_to_string(f"{template}_subject.txt", context).split())
    mail = EmailMultiAlternatives(subject, render_to_string(f"{template}.txt", context), to=[to])
    mail.attach_alternative(render_to_string(f"{template}.html", context), "text/html")
    try:
        return mail.send() == 1
    except (SMTPException, OSError):
        logger.exception("mail not sent", extra={"template": template})
        return False
