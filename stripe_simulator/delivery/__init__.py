"""Webhooks: which endpoint gets which event, and the courier that brings them."""
