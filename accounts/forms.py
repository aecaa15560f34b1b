"""What people type about themselves, their account, their team."""

from collections.abc import Callable
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.http import HttpRequest

from accounts.models import BillingAccount, Invitation, Membership, Role, User

# How numbers and dates are written; the words stay English.
LOCALES = (
    ("en", "English (1,234.56)"),
    ("de", "Deutsch (1.234,56)"),
    ("es", "Español (1 234,56)"),
    ("fr", "Français (1 234,56)"),
    ("it", "Italiano (1.234,56)"),
    ("ja", "日本語 (1,234.56)"),
    ("nl", "Nederlands (1.234,56)"),
    ("pl", "Polski (1 234,56)"),
    ("pt-br", "Português (1.234,56)"),
    ("sv", "Svenska (1 234,56)"),
)
REGIONS = {
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
}


def timezones() -> list[tuple[str, str]]:
    """UTC and every place of the time-zone database, as choices."""
    places = sorted(name for name in available_timezones() if name.split("/")[0] in REGIONS)
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in places)]


def plain(value: str) -> str:
    """One line of visible text: names end up in e-mail subjects, files and tables."""
    if any(not letter.isprintable() for letter in value):
        raise forms.ValidationError("Use letters, digits and punctuation only.")
    return value


PLAIN: list[Callable[[Any], None]] = [plain]  # type: ignore[list-item]  # validators' results are ignored


class SignupForm(forms.Form):
    """Asked beside e-mail and password; allauth builds its own form on top of this one."""

    name = forms.CharField(
        label="Your name (optional)",
        max_length=120,
        required=False,
        validators=PLAIN,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    company = forms.CharField(
        label="Company (optional)",
        max_length=120,
        required=False,
        validators=PLAIN,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    field_order = ("email", "password1", "name", "company")

    def signup(self, request: HttpRequest, user: User) -> None:
        """Called by allauth once the user is saved."""
        user.name = self.cleaned_data["name"]
        user.company = self.cleaned_data["company"]
        user.save(update_fields=["name", "company"])


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    """The signed-in person's own settings."""

    name = forms.CharField(
        max_length=120,
        required=False,
        validators=PLAIN,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    timezone = forms.ChoiceField(label="Time zone", choices=timezones)
    locale = forms.ChoiceField(label="Numbers and dates", choices=LOCALES)

    class Meta:
        model = User
        fields = ("name", "timezone", "locale")


class AccountForm(forms.ModelForm):  # type: ignore[type-arg]
    """What the billing account is called and where its receipts go."""

    name = forms.CharField(label="Account name", max_length=120, validators=PLAIN)
    email = forms.EmailField(
        label="Billing email", max_length=254, help_text="Receipts and news of payments go here."
    )

    class Meta:
        model = BillingAccount
        fields = ("name", "email")


class InvitationForm(forms.ModelForm):  # type: ignore[type-arg]
    """Whom to invite, and as what."""

    email = forms.EmailField(
        label="Email address", max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"})
    )
    role = forms.ChoiceField(choices=Role.choices, initial=Role.DEVELOPER)

    class Meta:
        model = Invitation
        fields = ("email", "role")

    def validate_constraints(self) -> None:
        """Inviting an address again is allowed; ``invitations.invite`` replaces the open one."""


class RoleForm(forms.ModelForm):  # type: ignore[type-arg]
    """A member's new role."""

    role = forms.ChoiceField(choices=Role.choices)

    class Meta:
        model = Membership
        fields = ("role",)


class ApiKeyForm(forms.Form):
    """A key's name. ``id`` is the new key's, chosen when the form was shown."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    name = forms.CharField(
        max_length=80,
        validators=PLAIN,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )


class RevokeForm(forms.Form):
    """The key's name, typed once more."""

    typed = forms.CharField(widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}))

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        self.fields["typed"].label = f"Type “{name}” to confirm"

    def clean_typed(self) -> str:
        typed: str = self.cleaned_data["typed"]
        if typed != self.name:
            raise forms.ValidationError("That is not the name of this key.")
        return typed
