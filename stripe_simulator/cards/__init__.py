"""Stripe's published test cards: what each one is, and how it behaves."""
