"""Publishing a price book: what it would have meant for the last weeks, who is told, and taking it back in time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.timezone import now
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from accounts.admin import ViewOnly
from billing.models import PriceNotice
from billing.services import price_impact, price_notices
from billing.services.price_impact import Impact, Tally
from catalog import comparison, versions
from catalog.admin.pages import UTCMomentField, page, sent, who
from catalog.admin.price_books import PriceBookAdmin
from catalog.models import PriceBook
from catalog.pricing.units import CREDIT, micros_to_text
from catalog.versions import CannotPublish

NOTICE_DAYS = 14


class PublishForm(forms.Form):
    """When a draft comes into force, and whether customers are told before."""

    effective_at = UTCMomentField(
        label="In force from (UTC)",
        required=False,
        help_text="Empty: now, or when customers are told, after the notice.",
    )
    note = forms.CharField(
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text="Why; shown in the list of versions.",
    )
    tell = forms.BooleanField(
        label="Tell affected customers",
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="By e-mail, each with what the last 30 days would have cost, and on their pricing page.",
    )
    notice_days = forms.IntegerField(
        label="Days of notice at least",
        min_value=0,
        max_value=365,
        initial=NOTICE_DAYS,
        widget=UnfoldAdminIntegerFieldWidget(),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors or not cleaned.get("tell"):
            return cleaned
        earliest = now() + timedelta(days=cleaned["notice_days"])
        if cleaned["effective_at"] is None:
            cleaned["effective_at"] = earliest.replace(second=0, microsecond=0) + timedelta(minutes=1)
        elif cleaned["effective_at"] < earliest - timedelta(minutes=1):
            days = cleaned["notice_days"]
            self.add_error("effective_at", f"Customers told today have less than {days} days of notice then.")
        return cleaned


class WithdrawForm(forms.Form):
    reason = forms.CharField(
        max_length=200, widget=UnfoldAdminTextInputWidget, help_text="Shown in the list of versions."
    )


@dataclass(frozen=True, slots=True)
class ImpactRow:
    """A line of the preview: amounts as texts, and which way they go."""

    what: str
    charges: int
    before: str
    after: str
    change: str
    way: str
    refused: int = 0
    link: str = ""


class PublishingAdmin(PriceBookAdmin):
    """Price books with what publishing them means for customers."""

    list_display = (*PriceBookAdmin.list_display, "told")
    actions_detail = (*PriceBookAdmin.actions_detail, "publish", "withdraw")

    @admin.display(description="customers told")
    def told(self, book: PriceBook) -> str:
        row = getattr(book, "announcement", None)
        if row is None:
            return "–"
        count = row.notices.count()
        return str(count) if row.done_at else f"{count} so far"

    @action(description="Preview and publish", url_path="publish", permissions=["publish"])  # type: ignore[untyped-decorator]
    def publish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What the draft would have made of the last 30 days, and the button that puts it into force."""
        book = self._book(request, object_id)
        form = PublishForm(*sent(request), initial={"note": book.note, "notice_days": NOTICE_DAYS})
        problems: tuple[str, ...] = tuple(versions.price_problems(book))
        if request.method == "POST" and form.is_valid() and not problems:
            try:
                return self._published(request, book, form.cleaned_data)
            except CannotPublish as error:
                problems = error.problems
        impact = None if versions.price_problems(book) else price_impact.preview(book)
        current = versions.in_force(book.price_list)
        return page(
            request,
            "publish",
            book,
            f"Publish {book}",
            form=form,
            problems=problems,
            status=422 if form.errors else 200,
            current=current,
            comparison=comparison.compare(current, book) if current is not None else None,
            scheduled=versions.scheduled(book.price_list),
            **(_shown(impact) if impact is not None else {}),
        )

    def _published(self, request: HttpRequest, book: PriceBook, asked: dict[str, Any]) -> HttpResponse:
        with transaction.atomic():
            book = versions.publish(
                book, effective_at=asked["effective_at"], by=who(request), note=asked["note"]
            )
            if asked["tell"]:
                price_notices.announce(book, by=who(request))
            self.log_change(request, book, f"Published, in force from {_when(book.effective_at)}")
        messages.success(request, f"Published {book}, in force from {_when(book.effective_at)}.")
        if asked["tell"]:
            messages.info(request, "Affected customers are being told; the list shows how many were.")
        return redirect(reverse("admin:catalog_pricebook_changelist"))

    def has_publish_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("catalog.change_pricebook") and self._is(object_id, "draft")

    @action(description="Withdraw", url_path="withdraw", permissions=["withdraw"])  # type: ignore[untyped-decorator]
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take back a version that is not in force yet; who was told of it is told so."""
        book = self._book(request, object_id)
        form = WithdrawForm(*sent(request))
        problems: tuple[str, ...] = ()
        if request.method == "POST" and form.is_valid():
            try:
                with transaction.atomic():
                    versions.withdraw(book, by=who(request), because=form.cleaned_data["reason"])
                    price_notices.withdrawn(book)
                    self.log_change(request, book, f"Withdrawn: {form.cleaned_data['reason']}")
            except CannotPublish as error:
                problems = error.problems
            else:
                messages.success(request, f"Withdrew {book}.")
                return redirect(reverse("admin:catalog_pricebook_changelist"))
        told = PriceNotice.objects.filter(announcement=book.pk).count()
        return page(
            request,
            "withdraw",
            book,
            f"Withdraw {book}",
            form=form,
            problems=problems,
            told=told,
            status=422 if form.errors else 200,
        )

    def has_withdraw_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("catalog.change_pricebook") and self._is(object_id, "scheduled")


admin.site.unregister(PriceBook)
admin.site.register(PriceBook, PublishingAdmin)


@admin.register(PriceNotice)
class PriceNoticeAdmin(ViewOnly, ModelAdmin):
    """Who was told of which prices, and what they read."""

    list_display = (
        "account",
        "version",
        "before_text",
        "after_text",
        "charges",
        "refused",
        "to",
        "created_at",
    )
    list_filter = ("announcement__book__price_list",)
    search_fields = ("account__name", "account__email")
    list_select_related = ("account", "announcement__book__price_list")
    show_full_result_count = False

    @admin.display(description="version")
    def version(self, row: PriceNotice) -> str:
        return str(row.announcement.book)

    @admin.display(description="last 30 days", ordering="before")
    def before_text(self, row: PriceNotice) -> str:
        return micros_to_text(row.before)

    @admin.display(description="would have cost", ordering="after")
    def after_text(self, row: PriceNotice) -> str:
        return micros_to_text(row.after)

    @admin.display(description="told")
    def to(self, row: PriceNotice) -> str:
        return ", ".join(row.recipients)


def _shown(impact: Impact) -> dict[str, Any]:
    unit = "credits" if impact.unit == CREDIT else impact.unit
    items = sorted(impact.items.items(), key=lambda pair: (-abs(pair[1].difference), pair[0]))
    return {
        "impact": impact,
        "unit": unit,
        "total": _row("", impact.total),
        "kept": _row("", impact.kept) if impact.kept.charges else None,
        "affected": impact.affected(),
        "items": [_row(impact.labels[key], tally) for key, tally in items],
        "accounts": [
            _row(account.name, tally, reverse("admin:accounts_billingaccount_change", args=[account.pk]))
            for account, tally in impact.most_affected()
        ],
        "refusals": [(refused, _row(refused.what, tally)) for refused, tally in impact.worst_refusals()],
        "seen_charges": _count_seen(impact),
    }


def _count_seen(impact: Impact) -> int:
    return impact.total.charges // impact.step


def _row(what: str, tally: Tally, link: str = "") -> ImpactRow:
    change = tally.difference
    sign = "+" if change > 0 else "−" if change < 0 else ""
    return ImpactRow(
        what=what,
        charges=tally.charges,
        before=micros_to_text(tally.before),
        after=micros_to_text(tally.after),
        change=f"{sign}{micros_to_text(abs(change))}",
        way="more" if change > 0 else "less" if change < 0 else "",
        refused=tally.refused,
        link=link,
    )


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "now"
