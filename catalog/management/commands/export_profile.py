"""``manage.py export_profile NAME``: a stored profile as a file that loads without a difference, or its prices as CSV."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalog import price_csv, profile_export
from catalog.models import PriceList, Profile
from catalog.versions import latest


class Command(BaseCommand):
    help = "Write a stored profile as a profile file, or the prices of one list as CSV."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("profile", help="the id of a stored profile")
        parser.add_argument(
            "--prices", metavar="LIST", help="write the prices of this price list as CSV instead"
        )
        parser.add_argument(
            "--output", metavar="FILE", type=Path, help="write here instead of to the terminal"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        profile = Profile.objects.filter(slug=options["profile"]).first()
        if profile is None:
            known = ", ".join(Profile.objects.values_list("slug", flat=True)) or "none"
            raise CommandError(f"There is no profile {options['profile']!r}; stored ones are {known}.")
        text = self._prices(profile, options["prices"]) if options["prices"] else self._file(profile)
        if options["output"] is None:
            self.stdout.write(text, ending="")
            return
        try:
            options["output"].write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise CommandError(f"{options['output']} cannot be written: {error.strerror}.") from error

    def _file(self, profile: Profile) -> str:
        try:
            return profile_export.write(profile)
        except profile_export.CannotExport as error:
            raise CommandError(str(error)) from error

    def _prices(self, profile: Profile, slug: str) -> str:
        row = PriceList.objects.filter(profile=profile, slug=slug).first()
        book = latest(row) if row is not None else None
        if book is None:
            known = ", ".join(profile.price_lists.values_list("slug", flat=True))
            raise CommandError(f"{profile.slug} has no published price list {slug!r}; it has {known}.")
        return price_csv.write(book)
