"""The five bundled profiles as price books, built from their files without a database."""

from functools import cache

import pytest

from catalog import loader
from catalog.pricing.engine import PriceBook


@cache
def bundled(name: str) -> loader.LoadedProfile:
    return loader.read(loader.find(name))


@cache
def book_of(name: str, price_list: str) -> PriceBook:
    return bundled(name).books()[price_list]


@pytest.fixture
def ads() -> loader.LoadedProfile:
    return bundled("ads")
