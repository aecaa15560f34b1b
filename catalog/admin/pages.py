"""What the catalog's own admin pages share: their frame, a moment in UTC, and how a refusal is shown."""

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from unfold.widgets import UnfoldAdminTextInputWidget

from catalog.versions import CannotPublish


class UTCMomentField(forms.CharField):
    """A date and time in UTC, whatever zone the viewer is in; empty: none."""

    widget = UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"})

    def to_python(self, value: Any) -> Any:
        text = (super().to_python(value) or "").strip().removesuffix("Z")
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise ValidationError("Enter a date and time such as 2027-01-31T08:00.") from error
        return moment

    def prepare_value(self, value: Any) -> Any:
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M}" if isinstance(value, datetime) else value


def page(
    request: HttpRequest,
    template: str,
    row: Model,
    title: str,
    *,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """A page of the admin about one row; ``problems`` in the context turn it into a 422."""
    status = 422 if context.get("problems") else status
    frame = {
        **admin.site.each_context(request),
        "title": title,
        "opts": row._meta,
        "row": row,
        "is_fullwidth": True,
    }
    return render(request, f"admin/catalog/{template}.html", {**frame, **context}, status=status)


def sent(request: HttpRequest) -> tuple[Any, Any]:
    """What a form is made from: the posted data and files, or nothing where it is only looked at."""
    return (request.POST, request.FILES) if request.method == "POST" else (None, None)


def told(request: HttpRequest, refusal: CannotPublish) -> None:
    """Show each reason of a refusal."""
    for problem in refusal.problems:
        messages.error(request, problem)


def who(request: HttpRequest) -> str:
    """Whose doing it is, as versions keep it."""
    return str(getattr(request.user, "email", request.user))
