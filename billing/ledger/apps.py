from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """The double-entry ledger: append-only, one writer."""

    name = "billing.ledger"
    label = "ledger"
