"""Checkout sessions: the object, its line items and totals, and what happens when the customer pays."""
