"""What can go wrong in the ledger, by name. Nothing has been written when one of these is raised."""


class LedgerError(Exception):
    """Base of the ledger's failures."""


class NoSuchAccount(LedgerError):
    """The billing account has no balance row: it was never opened."""


class NotEnough(LedgerError):
    """The account does not have what should be taken."""

    def __init__(self, required: int, available: int) -> None:
        super().__init__(f"{required} micro-units needed, {available} available")
        self.required = required
        self.available = available


class KeyReused(LedgerError):
    """The business key already names a transaction of another account or amount."""
