"""Prices as CSV and profiles as files: taken away and brought back by staff, checked whole before anything is stored."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.timezone import now
from unfold.decorators import action
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldBooleanSwitchWidget

from catalog import drafts, loader, price_csv, profile_export, services
from catalog.admin.pages import UTCMomentField, page, sent, told
from catalog.models import PriceBook, Profile
from catalog.price_csv import InvalidPrices
from catalog.problems import InvalidProfile, Problem
from catalog.versions import CannotPublish

LARGEST_FILE = 1_000_000


class PricesFileForm(forms.Form):
    """A CSV file, and whether it is the whole list."""

    file = forms.FileField(
        label="CSV file",
        widget=UnfoldAdminFileFieldWidget,
        help_text=f"Columns: {', '.join(price_csv.COLUMNS)}; model, operation and price are needed.",
    )
    complete = forms.BooleanField(
        label="The file is the whole list",
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="On: what the file leaves out is no longer offered. Off: it stays as it is.",
    )


class PriceFiles:
    """The CSV pages of a price book; mixed into its admin."""

    @action(description="Download CSV", url_path="prices.csv", permissions=["prices"])  # type: ignore[untyped-decorator]
    def download_prices(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Every price of the version."""
        book = self._book(request, object_id)  # type: ignore[attr-defined]  # of the admin
        name = f"{book.profile_id}-{book.price_list.slug}-v{book.version}.csv"
        return _download(price_csv.write(book), name, "text/csv")

    @action(description="Upload CSV", url_path="upload", permissions=["upload"])  # type: ignore[untyped-decorator]
    def upload_prices(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Bring a CSV file into a draft: all of it, or nothing and every mistake by its line."""
        book: PriceBook = self._book(request, object_id)  # type: ignore[attr-defined]  # of the admin
        form = PricesFileForm(*sent(request))
        problems: list[Problem] = []
        refusal: tuple[str, ...] = ()
        if request.method == "POST" and form.is_valid():
            upload = form.cleaned_data["file"]
            data = upload.read(price_csv.LARGEST + 1)
            try:
                wanted = price_csv.read(book, data, complete=form.cleaned_data["complete"])
                changed = drafts.store(book, wanted)
            except InvalidPrices as error:
                problems = error.problems
            except CannotPublish as error:
                refusal = error.problems
            else:
                messages.success(
                    request, f"Took over {upload.name}: {changed} price{'s' * (changed != 1)} changed."
                )
                return redirect(reverse("admin:catalog_pricebook_compare", args=[book.pk]))
        return page(
            request,
            "upload",
            book,
            f"Prices from a file into {book}",
            form=form,
            problems=problems,
            refusal=refusal,
            status=422 if refusal or (request.method == "POST" and form.errors) else 200,
            kind="prices",
        )

    def has_upload_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("catalog.change_pricebook") and self._is(object_id, "draft")  # type: ignore[attr-defined]


class ProfileFileForm(forms.Form):
    """A profile file; ``text`` carries it from the look to the storing."""

    file = forms.FileField(label="Profile file (TOML)", required=False, widget=UnfoldAdminFileFieldWidget)
    text = forms.CharField(required=False, strip=False, widget=forms.HiddenInput)
    effective_at = UTCMomentField(
        label="Changed prices are in force from (UTC)", required=False, help_text="Empty: now."
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        upload = cleaned.get("file")
        if upload is not None:
            data = upload.read(LARGEST_FILE + 1)
            if len(data) > LARGEST_FILE:
                self.add_error("file", "The file is larger than 1 MB; load it with manage.py load_profile.")
            cleaned["data"] = data
        elif cleaned.get("text"):
            cleaned["data"] = cleaned["text"].encode()
        else:
            self.add_error("file", "Choose a file.")
        return cleaned


class ProfileFiles:
    """The file pages of a profile; mixed into its admin."""

    @action(description="Download file", url_path="profile.toml", permissions=["view"])  # type: ignore[untyped-decorator]
    def download_file(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The profile as ``load_profile`` reads it: what is stored now, the last published prices."""
        try:
            text = profile_export.write(get_object_or_404(Profile, pk=object_id))
        except profile_export.CannotExport as error:
            messages.error(request, str(error))
            return redirect(reverse("admin:catalog_profile_change", args=[object_id]))
        return _download(text, f"{object_id}.toml", "application/toml")

    @action(description="Load a file", url_path="load", permissions=["load"])  # type: ignore[untyped-decorator]
    def load_file(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Look at what a file would change, then store it."""
        profile = get_object_or_404(Profile, pk=object_id)
        form = ProfileFileForm(*sent(request))
        problems: list[Problem] = []
        changes: list[Any] | None = None
        text = ""
        if request.method == "POST" and form.is_valid():
            try:
                loaded = loader.read_bytes(form.cleaned_data["data"], f"{profile.slug}.toml")
                problems = _of(profile, loaded)
                if not problems and "store" in request.POST:
                    return self._stored(request, loaded, form)
                changes, text = services.pending_changes(loaded), form.cleaned_data["data"].decode()
            except InvalidProfile as error:
                problems = error.problems
            except CannotPublish as error:
                told(request, error)
                changes, text = services.pending_changes(loaded), form.cleaned_data["data"].decode()
        return page(
            request,
            "load",
            profile,
            f"Load a file into {profile.name}",
            form=form,
            problems=problems,
            changes=None if problems else changes,
            text=text,
            status=422 if request.method == "POST" and form.errors else 200,
        )

    def _stored(
        self, request: HttpRequest, loaded: loader.LoadedProfile, form: ProfileFileForm
    ) -> HttpResponse:
        stored = services.store_profile(loaded, effective_at=form.cleaned_data["effective_at"])
        messages.success(request, f"Stored {len(stored.changes)} changes.")
        for book in stored.published:
            soon = book.effective_at is not None and book.effective_at > now()
            when = f"in force from {book.effective_at:%Y-%m-%d %H:%M} UTC" if soon else "in force now"
            messages.success(request, f"Published {book}, {when}.")
        return redirect(reverse("admin:catalog_profile_change", args=[loaded.file.profile.id]))

    def has_load_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perms(["catalog.change_profile", "catalog.change_pricebook"])


def _of(profile: Profile, loaded: loader.LoadedProfile) -> list[Problem]:
    if loaded.file.profile.id == profile.slug:
        return []
    return [Problem(None, "profile.id", f"is {loaded.file.profile.id}, and this is {profile.slug}.")]


def _download(text: str, name: str, content_type: str) -> HttpResponse:
    response = HttpResponse(text, content_type=f"{content_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
