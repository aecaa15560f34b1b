"""A draft price book and its grid, as a browser of staff fills it in."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from catalog import drafts, services, snapshot, versions
from catalog.drafts import Entry
from catalog.models import AIModel, Operation, PriceBook, PriceList
from tests.catalog.conftest import bundled

FIELD = re.compile(r'<input[^>]*name="([^"]+)"[^>]*>')


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "long-enough-password"))
    return client


def draft(profile: str, price_list: str = "standard") -> PriceBook:
    services.store_profile(bundled(profile))
    snapshot.refresh()
    return versions.new_draft(PriceList.objects.get(profile=profile, slug=price_list))


def url(name: str, book: PriceBook) -> str:
    return reverse(f"admin:catalog_pricebook_{name}", args=[book.pk])


def typed(staff: Client, book: PriceBook, query: str = "") -> dict[str, str]:
    """What a browser would send back unchanged."""
    text = staff.get(url("prices", book) + query).content.decode()
    values = {}
    for found in FIELD.finditer(text):
        tag = found.group(0)
        value = re.search(r' value="([^"]*)"', tag)
        if 'type="checkbox"' not in tag or " checked" in tag:
            values[unescape(found.group(1))] = unescape(value.group(1)) if value else "on"
    return values


def cell(book: PriceBook, model: str, operation: str, spot: str = "", part: str = "price") -> str:
    row = AIModel.objects.get(profile=book.profile_id, slug=model)
    column = Operation.objects.get(profile=book.profile_id, slug=operation)
    return f"c{row.pk}o{column.pk}-{spot}-{part}"


def saved(staff: Client, book: PriceBook, changes: dict[str, str], query: str = "") -> Any:
    return staff.post(url("prices", book) + query, {**typed(staff, book, query), **changes})


def entry(book: PriceBook, model: str, operation: str) -> Entry | None:
    return drafts.entries(book).get((model, operation))
