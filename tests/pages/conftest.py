"""The catalog, for pages in a browser."""

from tests.billing.conftest import ads

__all__ = ["ads"]
