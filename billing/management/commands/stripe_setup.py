"""``manage.py stripe_setup``: the webhook endpoint, at Stripe and for dj-stripe; safe to run again."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.gateways.protocol import GatewayError, Unreachable
from billing.webhooks.endpoint import set_up


class Command(BaseCommand):
    help = "Create or update the Stripe webhook endpoint of this portal."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            endpoint = set_up()
        except Unreachable as error:
            raise CommandError(
                "Stripe does not answer. See whether this machine reaches api.stripe.com, and run the command again."
            ) from error
        except GatewayError as error:
            raise CommandError(f"Stripe did not take the webhook endpoint: {error}") from error
        if options["json"]:
            self.stdout.write(json.dumps({"endpoint": endpoint.id, "url": endpoint.url}))
        else:
            self.stdout.write(f"Stripe sends events to {endpoint.url} ({endpoint.id}).")
