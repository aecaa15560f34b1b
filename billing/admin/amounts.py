"""Amounts as people read them: the database counts millionths and cents, which nobody at a desk should have to."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from billing.money_text import money_text
from catalog.pricing.units import from_minor

SHOWN = "_amount"


class Amounts:
    """For a ModelAdmin before ``ModelAdmin``: its page of one row shows these fields as amounts with their unit.

    ``micros`` are millionths of the row's unit (or its account's), ``minor`` the smallest coins of its currency.
    """

    micros: ClassVar[tuple[str, ...]] = ()
    minor: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in (*cls.micros, *cls.minor):
            setattr(cls, name + SHOWN, _shown(name, coins=name in cls.minor))

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        fields = super().get_fields(request, obj)  # type: ignore[misc]
        return [self._of(name) for name in fields if not (isinstance(name, str) and name.endswith(SHOWN))]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        shown = [name + SHOWN for name in (*self.micros, *self.minor)]
        return [*super().get_readonly_fields(request, obj), *shown]  # type: ignore[misc]

    def _of(self, name: Any) -> Any:
        return name + SHOWN if name in self.micros or name in self.minor else name


def _shown(name: str, *, coins: bool) -> Any:
    label = "amount" if name == "micros" else name.removesuffix("_minor").replace("_", " ")

    @admin.display(description=label)
    def text(self: Amounts, row: Any) -> str:
        value = getattr(row, name)
        if value is None:
            return "–"
        if coins:
            return f"{from_minor(value, _currency(row))} {_currency(row)}"
        return money_text(value, _unit(row))

    return text


def _unit(row: Any) -> str:
    """The row's own unit, or that of what it belongs to."""
    if (unit := getattr(row, "unit", None)) is not None:
        return str(unit)
    return str(row.payment.unit if hasattr(row, "payment") else row.account.unit)


def _currency(row: Any) -> str:
    return str(row.currency if hasattr(row, "currency") else row.payment.currency)
