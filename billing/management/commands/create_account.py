"""``manage.py create_account``: provision a billing account with its owner and a first API key."""

import json
from typing import Any

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.db import transaction

from accounts.keys import create_key
from accounts.models import BillingAccount, User
from billing.errors import Refusal
from billing.ledger import grants
from billing.services.accounts import open_account
from catalog.pricing.errors import InvalidAmount
from catalog.pricing.units import parse_micros


class Command(BaseCommand):
    help = "Create a user with a billing account and an API key."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--password", help="without one the user signs in by password reset")
        parser.add_argument("--profile", help="billing profile; the default one when left out")
        parser.add_argument("--plan")
        parser.add_argument("--mode")
        parser.add_argument(
            "--credits", help="an admin grant on top of what the profile gives, in the account's unit"
        )
        parser.add_argument("--name", help="the account's name")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            account, text = provision(options)
        except Refusal as error:
            raise CommandError(error.detail) from error
        answer = {"account": account.public_id, "email": options["email"], "api_key": text}
        if options["json"]:
            self.stdout.write(json.dumps(answer))
        else:
            self.stdout.write(
                f"account  {answer['account']}\nemail    {answer['email']}\napi key  {answer['api_key']}"
            )


@transaction.atomic
def provision(options: dict[str, Any]) -> tuple[BillingAccount, str]:
    """The account and its key's text. A user that exists already is told so, not changed."""
    email = _email(options["email"])
    if User.objects.filter(email__iexact=email).exists():
        raise CommandError(f"There is already a user {email}.")
    credits = _credits(options["credits"])
    user = User.objects.create_user(email, options["password"])
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    account = open_account(
        name=options["name"] or email.partition("@")[0],
        email=email,
        user=user,
        profile=options["profile"],
        plan=options["plan"],
        mode=options["mode"],
    )
    if credits:
        grants.add(
            account_id=account.pk,
            micros=credits,
            source="admin",
            kind="adjustment",
            description="Credits given by the operator",
            key=f"admin:create:{account.pk.hex}",
            details={"reason": "create_account"},
        )
    _, text = create_key(account=account, name="First key", created_by=user)
    return account, text


def _email(text: str) -> str:
    try:
        validate_email(text)
    except ValidationError as error:
        raise CommandError(f"{text!r} is not an e-mail address.") from error
    return text.lower()


def _credits(text: str | None) -> int:
    try:
        credits = parse_micros(text) if text else 0
    except InvalidAmount as error:
        raise CommandError(f"--credits: {error}") from error
    if credits < 0:
        raise CommandError("--credits: give 0 or more.")
    return credits
