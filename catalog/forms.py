"""Forms with which staff edit the catalog; each is checked by the same types a profile file is."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from pydantic import TypeAdapter
from pydantic import ValidationError as Invalid
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from catalog.fields import MicrosFormField
from catalog.models import Plan, Price, Profile
from catalog.pricing.errors import InvalidAmount
from catalog.pricing.units import micros_to_text, parse_micros
from catalog.store import item_of, plan_document, terms_of
from catalog.terms import PlanEntry, Settings
from catalog.values import Slug

# Settings shown as fields of their own: form field -> path in the settings document.
FIELDS: dict[str, tuple[str, ...]] = {
    "welcome_bonus": ("welcome_bonus",),
    "trial_enabled": ("trial_grant", "enabled"),
    "trial_amount": ("trial_grant", "amount"),
    "topup_enabled": ("topup", "enabled"),
    "topup_min": ("topup", "min"),
    "topup_max": ("topup", "max"),
    "topup_presets": ("topup", "presets"),
    "recharge_threshold": ("auto_recharge", "threshold"),
    "recharge_amount": ("auto_recharge", "amount"),
    "validity_months": ("validity", "months"),
    "refund_window_days": ("refunds", "window_days"),
    "refund_approval": ("refunds", "approval"),
    "hold_ttl": ("hold_ttl",),
}


class AmountsField(forms.CharField):
    """Amounts separated by commas: "25, 50, 100"."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value) or ""
        try:
            return [parse_micros(part.strip()) for part in text.split(",") if part.strip()]
        except InvalidAmount as error:
            raise ValidationError(str(error)) from error

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value


def _money(label: str, help_text: str = "", required: bool = True) -> MicrosFormField:
    return MicrosFormField(
        label=label, help_text=help_text, required=required, widget=UnfoldAdminTextInputWidget()
    )


def _whole(label: str, help_text: str = "", required: bool = True) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        help_text=help_text,
        required=required,
        min_value=0,
        widget=UnfoldAdminIntegerFieldWidget(),
    )


def _switch(label: str) -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False, widget=UnfoldBooleanSwitchWidget())


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """A profile's terms: the usual ones as fields, the rest as the document the profile file has."""

    welcome_bonus = _money("Welcome bonus", "Given to every new account; 0: none.")
    trial_enabled = _switch("Trial grant on")
    trial_amount = _money("Trial grant", "Given to new accounts while it is on.")
    topup_enabled = _switch("Top-ups on")
    topup_min = _money("Smallest top-up", "In the cash currency.")
    topup_max = _money("Largest top-up", "In the cash currency.")
    topup_presets = AmountsField(
        label="Amounts offered",
        required=False,
        help_text="In cash: 25, 50, 100.",
        widget=UnfoldAdminTextInputWidget(),
    )
    recharge_threshold = _money("Auto-recharge below", "In the profile's unit; empty: none.", required=False)
    recharge_amount = _money("Auto-recharge by", "In the cash currency; empty: none.", required=False)
    validity_months = _whole(
        "Months credits stay valid", "From the last paid top-up; empty: for ever.", False
    )
    refund_window_days = _whole("Days a purchase can be refunded")
    refund_approval = forms.ChoiceField(
        label="Refunds approved by",
        choices=[("customer", "the customer"), ("staff", "staff"), ("automatic", "nobody: automatic")],
        widget=UnfoldAdminSelectWidget(),
    )
    hold_ttl = _whole("Seconds a hold lives")
    other = forms.JSONField(
        label="Other terms", help_text="As in the profile file's [terms].", widget=UnfoldAdminTextareaWidget()
    )

    class Meta:
        model = Profile
        fields = ("name", "cash_currency", "credit_price", "is_default")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        document = Settings.model_validate(self.instance.settings).model_dump(mode="json")
        for name, path in FIELDS.items():
            self.initial[name] = _pick(document, path)
        self.initial["other"] = {key: value for key, value in document.items() if key not in _TOP_LEVEL}

    def clean_is_default(self) -> bool:
        chosen = bool(self.cleaned_data["is_default"])
        if self.instance.is_default and not chosen:
            raise ValidationError(
                "Accounts that sign up need a profile; make another one the default, and this one is no longer."
            )
        return chosen

    def _get_validation_exclusions(self) -> set[str]:
        """That one profile is the default is no fault of this one: saving it takes that from the other."""
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]  # not in the stubs
        return excluded | {"is_default"}

    def clean_other(self) -> dict[str, Any]:
        other = self.cleaned_data["other"]
        if not isinstance(other, dict):
            raise ValidationError("Must be an object of terms.")
        return other

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        document = self._document(cleaned)
        try:
            self.instance.settings = Settings.model_validate(document).model_dump(mode="json")
            plans, lists = self.instance.plans.all(), self.instance.price_lists.filter(active=True)
            self.instance.cash_currency = cleaned["cash_currency"]
            self.instance.credit_price = cleaned["credit_price"]
            terms_of(self.instance, plans, lists)
        except Invalid as error:
            raise ValidationError([_sentence(fault) for fault in error.errors()]) from error
        return cleaned

    def _document(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        document = dict(cleaned["other"])
        for name, path in FIELDS.items():
            value = cleaned[name]
            if isinstance(self.fields[name], MicrosFormField) and value is not None:
                value = micros_to_text(value)
            if name == "topup_presets":
                value = [micros_to_text(amount) for amount in value]
            _put(document, path, value)
        recharge = document.pop("auto_recharge")
        if recharge["threshold"] is not None and recharge["amount"] is not None:
            kept = (self.instance.settings.get("auto_recharge") or {}).get("monthly_cap")
            document["auto_recharge"] = {**recharge, "monthly_cap": kept}
        if document["validity"]["months"] is None:
            del document["validity"]
        return document


_TOP_LEVEL = {path[0] for path in FIELDS.values()}


class PlanForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """A plan, checked as a plan of a profile file is."""

    class Meta:
        model = Plan
        fields = "__all__"  # noqa: DJ007  every column is staff's to set

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            plan = Plan(**{"slug": self.instance.slug, **cleaned})
            try:
                PlanEntry.model_validate(plan_document(plan))
            except Invalid as error:
                raise ValidationError([_sentence(fault) for fault in error.errors()]) from error
        return cleaned


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """A price of a draft; its rules have to make a complete item."""

    class Meta:
        model = Price
        fields = ("model", "operation", "amount", "per", "approximate", "requires", "rules")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("rules") is None:
            cleaned["rules"] = {}
        if not isinstance(cleaned["rules"], dict):
            self.add_error("rules", "Must be an object of rules.")
        if not self.errors:
            try:
                item_of(Price(**{name: cleaned[name] for name in PriceForm.Meta.fields}))
            except Invalid as error:
                raise ValidationError([_sentence(fault) for fault in error.errors()]) from error
        return cleaned


class RowForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """A model or an operation; its slug is spelt as in a profile file, for callers send it."""

    def clean_slug(self) -> str:
        slug = str(self.cleaned_data["slug"])
        try:
            return _SLUG.validate_python(slug)
        except Invalid as error:
            raise ValidationError(
                "Lower-case letters and digits with single hyphens: seedream-4-5."
            ) from error


_SLUG: TypeAdapter[str] = TypeAdapter(Slug)


def _sentence(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    return f"{where}: {fault['msg'].removeprefix('Value error, ')}."


def _pick(document: dict[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = document
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _put(document: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        document = document.setdefault(key, {})
    document[path[-1]] = value
