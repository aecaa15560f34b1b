"""What people type into the billing pages. Forms check shape; what is allowed is for the services to say."""

import uuid
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils.timezone import make_aware

from billing.models import SpendingLimit
from billing.money_text import typed_micros
from billing.selectors.transactions import GROUPS, Filters
from catalog.pricing.errors import InvalidAmount
from catalog.pricing.units import Amount
from catalog.terms import Terms
from config.ids import parse_id, public_id

CHECKOUT = "checkout"


class AmountField(forms.CharField):
    """An amount typed in the viewer's way; cleans to micros, or None when left empty."""

    def __init__(self, *, locale: str, **options: Any) -> None:
        super().__init__(max_length=20, **options)
        self.locale = locale

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return typed_micros(text, self.locale)
        except InvalidAmount as error:
            raise forms.ValidationError(str(error)) from error


class TransactionFilters(forms.Form):
    """The history's filters as they stand in the URL. A wrong one is shown and does not filter."""

    type = forms.ChoiceField(required=False, choices=[(slug, label) for slug, (label, _) in GROUPS.items()])
    q = forms.CharField(required=False, max_length=100)
    since = forms.DateField(required=False)
    until = forms.DateField(required=False)
    model = forms.SlugField(required=False, max_length=80)
    key = forms.CharField(required=False, max_length=40)

    def filters(self) -> Filters:
        """The filters that hold; days are whole days of the viewer's zone, both included."""
        self.is_valid()
        clean = self.cleaned_data
        key_id = parse_id("key", clean.get("key") or "")
        since, until = clean.get("since"), clean.get("until")
        return Filters(
            group=clean.get("type") or "",
            search=clean.get("q") or "",
            since=_midnight(since) if since else None,
            until=_midnight(until + timedelta(days=1)) if until and until.year < 9999 else None,
            model=clean.get("model") or "",
            key_id=key_id,
        )


class TopUpForm(forms.Form):
    """How much to buy and how to pay. ``shown`` is the amount the pay button named when it was pressed."""

    def __init__(self, data: Any = None, *, terms: Terms, locale: str, cards: list[str]) -> None:
        super().__init__(data)
        self.terms = terms
        self.cards = cards
        self.fields["preset"] = forms.CharField(required=False, max_length=20)
        self.fields["amount"] = AmountField(locale=locale, required=False)
        self.fields["method"] = forms.ChoiceField(
            required=False, choices=[(name, name) for name in [*cards, CHECKOUT]]
        )
        self.fields["request_key"] = forms.UUIDField(required=False)
        self.fields["shown"] = forms.CharField(required=False, max_length=20)

    def clean(self) -> dict[str, Any]:
        """``cash``: what was typed, else the chosen preset."""
        clean = self.cleaned_data
        micros = clean.get("amount")
        if micros is None and "amount" not in self.errors:
            micros = self._preset(clean.get("preset") or "")
        if micros is None and "amount" not in self.errors:
            self.add_error("amount", "Choose an amount or type your own.")
        clean["cash"] = None if micros is None else Amount(micros, self.terms.cash_currency)
        return clean

    def _preset(self, text: str) -> int | None:
        return next((micros for micros in self.terms.topup.presets if str(micros) == text), None)

    @property
    def cash(self) -> Amount | None:
        """The amount as far as it can be read."""
        self.is_valid()
        cash: Amount | None = self.cleaned_data.get("cash")
        return cash

    @property
    def method(self) -> str:
        """The chosen card's id or "checkout"; the first card where nothing was chosen."""
        self.is_valid()
        chosen: str = self.cleaned_data.get("method") or (self.cards[0] if self.cards else CHECKOUT)
        return chosen


class AutoRechargeForm(forms.Form):
    """Auto-recharge as typed: threshold in the account's unit, the rest in cash; an empty cap is none."""

    enabled = forms.BooleanField(required=False)

    def __init__(self, data: Any = None, *, locale: str) -> None:
        super().__init__(data)
        self.fields["threshold"] = AmountField(locale=locale)
        self.fields["amount"] = AmountField(locale=locale)
        self.fields["monthly_cap"] = AmountField(locale=locale, required=False)


class SpendingLimitForm(forms.Form):
    """A monthly limit as typed. ``confirmed`` is the micros that were agreed to although they are spent already."""

    mode = forms.ChoiceField(required=False, choices=SpendingLimit.Mode.choices)

    def __init__(self, data: Any = None, *, locale: str) -> None:
        super().__init__(data)
        self.fields["limit"] = AmountField(locale=locale)
        self.fields["confirmed"] = forms.CharField(required=False, max_length=20)

    def clean_mode(self) -> str:
        """Without a choice it stops requests: nobody who sets a limit expects less."""
        return str(self.cleaned_data["mode"] or SpendingLimit.Mode.HARD)

    @property
    def shown_mode(self) -> str:
        """The choice to show ticked: what was sent, as far as it is one."""
        sent = str(self.data.get("mode"))
        return sent if sent in SpendingLimit.Mode.values else SpendingLimit.Mode.HARD


class LowBalanceForm(forms.Form):
    """Below what the balance counts as low; empty is the profile's mark."""

    def __init__(self, data: Any = None, *, locale: str) -> None:
        super().__init__(data)
        self.fields["below"] = AmountField(locale=locale, required=False)


class KeyLimitForm(forms.Form):
    """What a key may spend a month and in all, as typed; empty is no limit."""

    def __init__(self, data: Any = None, *, locale: str) -> None:
        super().__init__(data)
        self.fields["monthly"] = AmountField(locale=locale, required=False)
        self.fields["budget"] = AmountField(locale=locale, required=False)


def new_request_key() -> str:
    """A fresh key for a form that pays: whatever is sent twice with it is paid once."""
    return str(uuid.uuid4())


def key_choice(key_id: uuid.UUID) -> str:
    """How the key filter names a key in the URL."""
    return public_id("key", key_id)


def _midnight(day: Any) -> datetime:
    try:
        return make_aware(datetime.combine(day, time.min))
    except OverflowError:
        return datetime(1, 1, 2, tzinfo=UTC)


class ChangesForm(forms.Form):
    """Two instants of the viewer's zone, to the minute; the second one's minute counts whole. Nothing is known of later."""

    FORMATS = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")
    UNREADABLE = "Enter a day and a time."
    since = forms.DateTimeField(
        input_formats=FORMATS, error_messages={"required": UNREADABLE, "invalid": UNREADABLE}
    )
    until = forms.DateTimeField(
        input_formats=FORMATS, error_messages={"required": UNREADABLE, "invalid": UNREADABLE}
    )

    def __init__(self, data: Any = None, *, now: datetime) -> None:
        super().__init__(data)
        self.now = now

    def clean_since(self) -> datetime:
        since: datetime = self.cleaned_data["since"]
        if since.year < 2000:
            raise forms.ValidationError("Choose a time after the year 2000.")
        return since

    def clean_until(self) -> datetime:
        until: datetime = self.cleaned_data["until"]
        if until > self.now:
            raise forms.ValidationError("This is still to come.")
        return min(self.now, until + timedelta(seconds=59, microseconds=999_999))

    def clean(self) -> dict[str, Any]:
        clean = super().clean() or {}
        if "since" in clean and "until" in clean and clean["since"] >= clean["until"]:
            self.add_error("until", "Choose a time after the first one.")
        return clean


class WayToPayForm(forms.Form):
    """Another way to pay; pay-per-use asks for its monthly limit."""

    def __init__(self, data: Any = None, *, locale: str, asks_limit: bool) -> None:
        super().__init__(data)
        if asks_limit:
            self.fields["limit"] = AmountField(locale=locale)
