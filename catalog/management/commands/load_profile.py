"""``manage.py load_profile NAME|PATH``: store a profile file, showing what changes."""

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from catalog import loader, services
from catalog.models import PriceList
from catalog.price_csv import InvalidPrices
from catalog.problems import InvalidProfile


class Command(BaseCommand):
    help = "Load a billing profile (a bundled name or a file) and show what changes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("profile", help=f"{', '.join(loader.bundled())}, or the path of a file")
        parser.add_argument("--dry-run", action="store_true", help="show the changes and store nothing")
        parser.add_argument("--default", action="store_true", help="make it the profile of new sign-ups")
        parser.add_argument(
            "--effective", metavar="TIME", help="when changed prices come into force (ISO 8601, UTC)"
        )
        parser.add_argument(
            "--prices",
            metavar="FILE",
            type=Path,
            help="load only prices, from a CSV file, into a stored profile",
        )
        parser.add_argument(
            "--list", metavar="LIST", help="with --prices: the price list (its first by default)"
        )
        parser.add_argument(
            "--complete",
            action="store_true",
            help="with --prices: what the file leaves out is no longer offered",
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        effective = _moment(options["effective"])
        if options["prices"] is not None:
            self._load_prices(effective, options)
            return
        try:
            loaded = loader.read(loader.find(options["profile"]))
            stored = self._store(loaded, effective, options)
        except (InvalidProfile, services.CannotPublish) as error:
            raise CommandError(str(error)) from error
        self._report(loaded.file.profile.id, stored, options)

    def _store(
        self, loaded: loader.LoadedProfile, effective: datetime | None, options: dict[str, Any]
    ) -> services.Stored:
        if options["dry_run"]:
            return services.Stored(tuple(services.pending_changes(loaded)), ())
        with transaction.atomic():
            return services.store_profile(loaded, make_default=options["default"], effective_at=effective)

    def _load_prices(self, effective: datetime | None, options: dict[str, Any]) -> None:
        lists = PriceList.objects.filter(profile=options["profile"], active=True)
        row = lists.filter(slug=options["list"]).first() if options["list"] else lists.first()
        if row is None:
            known = ", ".join(f"{each.profile_id} {each.slug}" for each in PriceList.objects.all()) or "none"
            raise CommandError(f"There is no such price list; stored ones are {known}.")
        try:
            data = options["prices"].read_bytes()
            stored = services.store_prices(
                row, data, complete=options["complete"], effective_at=effective, dry_run=options["dry_run"]
            )
        except OSError as error:
            raise CommandError(f"{options['prices']} cannot be read: {error.strerror}.") from error
        except (InvalidPrices, services.CannotPublish) as error:
            raise CommandError(str(error)) from error
        self._report(row.profile_id, stored, options)

    def _report(self, slug: str, stored: services.Stored, options: dict[str, Any]) -> None:
        if options["json"]:
            document = {
                "profile": slug,
                "dry_run": options["dry_run"],
                "changes": [change.as_json() for change in stored.changes],
                "published": [
                    {"price_list": book.price_list.slug, "version": book.version, "id": str(book.id)}
                    for book in stored.published
                ],
            }
            self.stdout.write(json.dumps(document, indent=2))
            return
        for change in stored.changes:
            self.stdout.write(str(change))
        for book in stored.published:
            self.stdout.write(f"Published {book}, in force from {book.effective_at:%Y-%m-%d %H:%M} UTC.")
        if not stored.changes:
            self.stdout.write(f"{slug}: no changes.")
        elif options["dry_run"]:
            self.stdout.write(f"{slug}: {len(stored.changes)} changes, nothing stored (dry run).")
        else:
            self.stdout.write(f"{slug}: {len(stored.changes)} changes stored.")


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is not a time such as 2026-12-01T00:00Z.") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
