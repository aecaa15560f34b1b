"""The catalog for staff: terms, plans and models are edited, published price books are read.

Prices change by publishing: open a draft, edit it, publish it. Past charges keep their version. Publishing itself, with
what it would mean for customers, is billing's (``billing.admin.price_books``).
"""

from catalog.admin import price_books, rows

__all__ = ["price_books", "rows"]
