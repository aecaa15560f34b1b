"""Usage: what was used, by what, what it comes to; on the page, as a file, and how good the estimates were."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.http import require_GET

from accounts.current import current_account
from accounts.models import BillingAccount
from accounts.permissions import require
from billing import exports
from billing.money_text import money_text
from billing.selectors import accuracy, usage_page
from billing.selectors.usage import Only, today
from billing.selectors.usage_page import GROUPS, PERIODS, USUAL, WITHOUT_KEY
from billing.templatetags.money import locale_of
from billing.views.htmx import htmx
from catalog import snapshot
from catalog.pricing.units import CREDIT
from config.ids import parse_id

LONGEST = 80
NEXT_GROUP = {"model": "operation", "operation": "model", "key": "model"}
"""How the bars are grouped after a click on one of them: by what is left to tell apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the URL asks for; whatever it says wrongly is as if it said nothing."""

    period: str = USUAL
    group: str = "model"
    model: str = ""
    operation: str = ""
    key: str = ""

    @property
    def query(self) -> str:
        """As in the URL, without what is usual."""
        usual = Asked()
        values = {name: getattr(self, name) for name in self.__slots__}
        return urlencode({name: value for name, value in values.items() if value != getattr(usual, name)})

    @property
    def url(self) -> str:
        return reverse("usage_page") + (f"?{self.query}" if self.query else "")

    @property
    def only(self) -> Only:
        key_id = parse_id("key", self.key)
        return usage_page.only_of(self.model, self.operation, key_id, without_key=self.key == WITHOUT_KEY)

    def narrowed(self, value: str) -> str:
        """The URL that shows only this value of the group."""
        only = {self.group: usage_page.shown_value(self.group, value)}
        return replace(self, group=NEXT_GROUP[self.group], **only).url


@dataclass(frozen=True, slots=True)
class Choice:
    label: str
    url: str
    current: bool = False


@require_GET
@require("view")
def usage(request: HttpRequest) -> HttpResponse:
    """The page; htmx asks for what is under its heading alone."""
    account, asked = current_account(request), _asked(request)
    read = usage_page.page(
        account,
        usage_page.period(asked.period, today()),
        asked.group,
        asked.only,
        url_of=asked.narrowed,
        **_texts(request, account),
    )
    catalog = snapshot.current()
    book = catalog.book(account.profile, now(), mode=account.mode)
    context = {
        "account": account,
        "page": read,
        "asked": asked,
        "group_label": GROUPS[asked.group],
        "rows": [(row, asked.narrowed(row.value)) for row in read.rows],
        "periods": [
            Choice(label, replace(asked, period=slug).url, slug == read.period.slug)
            for slug, label in PERIODS.items()
        ],
        "groups": [
            Choice(label, replace(asked, group=slug).url, slug == asked.group)
            for slug, label in GROUPS.items()
        ],
        "chips": _chips(account, asked),
        "estimates": [
            (book.models.get(one.model, one.model), book.operations.get(one.operation, one.operation), one)
            for one in accuracy.of_account(account.pk)
        ],
        "recent": accuracy.RECENT,
        "moment": now(),
        "sample": next(iter(catalog.sold(book)), ("", "")),
        "api_url": settings.PORTAL_BASE_URL,
    }
    name = "_usage" if htmx(request).target == "usage" else "usage"
    return render(request, f"billing/{name}.html", context)


@require_GET
@require("view")
def usage_csv(request: HttpRequest) -> HttpResponse:
    """The period's use by day, model, operation and key as CSV; no cell can run as a formula."""
    account, asked = current_account(request), _asked(request)
    period = usage_page.period(asked.period, today())
    buffer = io.StringIO()
    buffer.write("\ufeff")
    writer = csv.writer(buffer)
    writer.writerow(exports.USAGE_COLUMNS)
    for use, key_name in usage_page.lines(account, period, asked.only):
        writer.writerow(exports.usage_cells(use, key_name, account.unit))
    response = HttpResponse(buffer.getvalue(), content_type="text/csv; charset=utf-8")
    name = f"usage-{period.first:%Y-%m-%d}-{period.last:%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _asked(request: HttpRequest) -> Asked:
    given = {name: request.GET.get(name, "").replace("\x00", "")[:LONGEST] for name in Asked.__slots__}
    return Asked(
        period=given["period"] if given["period"] in PERIODS else USUAL,
        group=given["group"] if given["group"] in GROUPS else "model",
        model=given["model"],
        operation=given["operation"],
        key=given["key"] if given["key"] == WITHOUT_KEY or parse_id("key", given["key"]) else "",
    )


def _chips(account: BillingAccount, asked: Asked) -> list[Choice]:
    """The filters in force, each with the way to lift it."""
    only = asked.only
    values = {
        "model": only.model,
        "operation": only.operation,
        "key": "" if only.key_id is None else "" if asked.key == WITHOUT_KEY else str(only.key_id),
    }
    return [
        Choice(
            f"{label}: {usage_page.shown_name(account, group, values[group])}",
            replace(asked, **{group: ""}).url,
        )
        for group, label in GROUPS.items()
        if getattr(asked, group)
    ]


def _texts(request: HttpRequest, account: BillingAccount) -> dict[str, Callable[[int], str]]:
    """How the chart writes amounts and the marks of its axis."""
    locale, unit = locale_of(request), account.unit

    def amount(micros: int) -> str:
        return money_text(micros, unit, locale, rounded=True)

    def tick(micros: int) -> str:
        return money_text(micros, unit, locale, short=True, bare=unit == CREDIT)

    return {"amount_text": amount, "tick_text": tick}
