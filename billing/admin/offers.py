"""Agreements with single accounts: staff make and end them, each with a reason. Terms are never edited."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.timezone import now
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.admin import ViewOnly
from accounts.models import User
from billing.errors import InvalidRequest, Refusal
from billing.ledger.models import Charge
from billing.models import Offer, OfferMonth, PriceLock
from billing.models.offers import Agreement
from billing.services import commitments, offers
from billing.services.offers import NewOffer
from catalog.models import PriceBook

STATUS_LABELS = {"active": "success", "planned": "info", "ended": "warning"}
_HISTORY = ("created_at", "created_by", "ended_at", "ended_by", "end_reason")


class EndForm(forms.Form):
    """Why the agreement ends now."""

    reason = forms.CharField(
        widget=UnfoldAdminTextareaWidget, max_length=200, help_text="Staff read it later."
    )


class OfferForm(ModelForm):  # type: ignore[type-arg]  # ModelForm is not generic at run time
    """A new offer, as the service takes it; what the service refuses is said at its field."""

    tiers = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget,
        help_text='One a line: "10000: 10%" is 10 % off above 10,000 a month, "0: 4.5" a price of 4.5 from the first. '
        "Empty: the tiers of the profile's own volume offer.",
    )
    only_models = forms.CharField(
        label="Models",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Ids with commas; empty: all.",
    )
    only_operations = forms.CharField(
        label="Operations",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Ids with commas; empty: all.",
    )

    class Meta:
        model = Offer
        fields = (
            "account", "name", "tiers", "only_models", "only_operations", "committed", "starts_at", "ends_at", "reason",
        )  # fmt: skip

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.fields["name"].required = False
        self.fields["starts_at"].required = False
        self.fields["starts_at"].initial = None
        self.fields[
            "committed"
        ].help_text = (
            "Requests a calendar month; it decides the tier, and what is missing in a whole month is charged."
        )
        self.fields["starts_at"].help_text = "From this moment (UTC); empty: now."

    def clean(self) -> dict[str, Any]:
        asked = super().clean() or self.cleaned_data
        if not self.errors:
            self.made = self._made(asked)
        return asked

    def _made(self, asked: dict[str, Any]) -> Offer | None:
        """The offer, made by the service: the form only reads and tells."""
        staff: User | None = getattr(self, "staff", None)
        try:
            new = NewOffer(
                account=asked["account"],
                name=asked["name"],
                tiers=offers.parse_tiers(asked["tiers"]),
                models=_slugs(asked["only_models"]),
                operations=_slugs(asked["only_operations"]),
                committed=asked["committed"],
                starts_at=asked["starts_at"],
                ends_at=asked["ends_at"],
            )
            return offers.make_offer(new, reason=asked["reason"], staff=staff)
        except InvalidRequest as refusal:
            _tell(self, refusal)
            return None


class LockForm(ModelForm):  # type: ignore[type-arg]  # ModelForm is not generic at run time
    """Which published version an account keeps, and until when."""

    class Meta:
        model = PriceLock
        fields = ("account", "book", "ends_at", "reason")

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.fields["ends_at"].required = True
        field = self.fields["book"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = PriceBook.objects.filter(status="published").select_related("price_list__profile")

    def clean(self) -> dict[str, Any]:
        asked = super().clean() or self.cleaned_data
        staff: User | None = getattr(self, "staff", None)
        if not self.errors:
            try:
                self.made = offers.keep_prices(
                    asked["account"], asked["book"], asked["ends_at"], reason=asked["reason"], staff=staff
                )
            except InvalidRequest as refusal:
                _tell(self, refusal)
        return asked


class AgreementAdmin(ModelAdmin):
    """What offers and locks share: made by the service, then only looked at and ended."""

    list_filter = ("account__profile",)
    search_fields = ("account__name", "account__email", "reason")
    list_select_related: tuple[str, ...] = ("account", "created_by")
    autocomplete_fields = ("account",)
    show_full_result_count = False
    actions_detail = ("end_agreement",)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_end_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm(f"billing.add_{self.opts.model_name}")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **named: Any) -> Any:
        if obj is not None:
            return super().get_form(request, obj, change=change, form=ModelForm, **named)
        form = super().get_form(request, obj, change=change, **named)
        form.staff = request.user
        return form

    def save_form(self, request: HttpRequest, form: Any, change: Any) -> Any:
        """The service has written it; nothing is saved a second time."""
        return form.made

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Written by the service."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """There is nothing beside it."""

    @display(description="status", label=STATUS_LABELS)  # type: ignore[untyped-decorator]
    def shown_status(self, row: Agreement) -> str:
        return row.status(now())

    @admin.display(description="until", ordering="ends_at")
    def until(self, row: Agreement) -> datetime | None:
        return row.last_moment()

    @action(description="End now", url_path="end", permissions=["end"])  # type: ignore[untyped-decorator]
    def end_agreement(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End it with a reason; what was authorized until now is settled by it still."""
        row = get_object_or_404(self.model, pk=object_id)
        form = EndForm(request.POST or None)
        back = reverse(f"admin:billing_{self.opts.model_name}_change", args=[row.pk])
        if request.method == "POST" and form.is_valid():
            assert isinstance(request.user, User)
            try:
                offers.end(row, reason=form.cleaned_data["reason"], staff=request.user)
                messages.success(request, f"{row} has ended.")
                return redirect(back)
            except Refusal as refusal:
                form.add_error("reason", refusal.detail)
        context = {
            **self.admin_site.each_context(request),
            "title": f"End {row}",
            "opts": self.opts,
            "form": form,
            "row": row,
            "back": back,
        }
        return render(
            request, "admin/billing/end_agreement.html", context, status=422 if form.errors else 200
        )


class MonthInline(ViewOnly, TabularInline):
    """What was counted, and of a commitment what became of what is missing."""

    model = OfferMonth
    extra = 0
    fields = ("month", "quantity", "shortfall", "counted_at")
    readonly_fields = ("shortfall",)

    @admin.display(description="missing")
    def shortfall(self, row: OfferMonth) -> str:
        missing = (row.offer.committed or 0) - row.quantity
        if missing <= 0:
            return "–"
        charge = Charge.objects.filter(pk=commitments.charge_id(row)).first()
        state = "not charged yet" if charge is None else f"{charge.public_id}, {charge.status}"
        return f"{missing:,}: {state}"


@admin.register(Offer)
class OfferAdmin(AgreementAdmin):
    """Volume and committed-use prices of single accounts."""

    form = OfferForm
    list_display = (
        "name", "account", "shown_status", "tiers_line", "committed", "starts_at", "until", "reason", "created_by",
    )  # fmt: skip
    fields = (
        "account", "name", "tiers", "only_models", "only_operations", "committed", "starts_at", "ends_at", "reason",
    )  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.fields
        return (
            "account",
            "name",
            "tiers_line",
            "covers",
            "committed",
            "starts_at",
            "ends_at",
            "reason",
            *_HISTORY,
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else ("tiers_line", "covers", *_HISTORY)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return () if obj is None else (MonthInline,)

    @admin.display(description="tiers")
    def tiers_line(self, row: Offer) -> str:
        return " · ".join(offers.tiers_text(row.tiers).splitlines())

    @admin.display(description="covers")
    def covers(self, row: Offer) -> str:
        models = ", ".join(row.only_models) or "all models"
        return f"{models}; {', '.join(row.only_operations) or 'all operations'}"


@admin.register(PriceLock)
class PriceLockAdmin(AgreementAdmin):
    """Accounts that keep a version of their prices."""

    form = LockForm
    list_display = ("account", "book", "shown_status", "starts_at", "until", "reason", "created_by")
    list_select_related = ("account", "created_by", "book__price_list__profile")
    fields = ("account", "book", "ends_at", "reason")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj is None else (*self.fields, "starts_at", *_HISTORY)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else ("starts_at", *_HISTORY)


def _slugs(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def _tell(form: Any, refusal: InvalidRequest) -> None:
    """Each problem at its field of the form."""
    names = {"models": "only_models", "operations": "only_operations"}
    for problem in refusal.extra.get("errors", []):
        field = names.get(problem["field"], problem["field"])
        form.add_error(field if field in form.fields else None, refusal.detail)
