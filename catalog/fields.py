"""A model field for amounts: integer micros in the database, plain decimal text in forms and admin."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

from catalog.pricing.errors import InvalidAmount
from catalog.pricing.units import micros_to_text, parse_micros


class MicrosFormField(forms.CharField):
    """Takes "12.5" and gives 12_500_000."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if text is None or text in self.empty_values:
            return None
        try:
            micros = parse_micros(text)
        except InvalidAmount as error:
            raise ValidationError(str(error)) from error
        if micros < 0:
            raise ValidationError("An amount here must not be negative.")
        return micros

    def prepare_value(self, value: Any) -> Any:
        return micros_to_text(value) if isinstance(value, int) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(super().has_changed(self.prepare_value(initial), data))


class MicrosField(models.BigIntegerField):  # type: ignore[type-arg]  # not subscriptable at run time
    """Integer micros. The unit stands in a column beside it or on the profile."""

    def formfield(self, **kwargs: Any) -> Any:
        return super(models.BigIntegerField, self).formfield(**{"form_class": MicrosFormField, **kwargs})
