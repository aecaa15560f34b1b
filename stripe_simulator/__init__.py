"""A stand-in for api.stripe.com on loopback, for development and tests. See README.md."""

API_VERSION = "2026-08-26.dahlia"
