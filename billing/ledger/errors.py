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


class NotEmpty(LedgerError):
    """The unit of an account changes only while it has nothing, owes nothing and nothing is held (micros)."""

    def __init__(self, balance: int, held: int) -> None:
        super().__init__(f"{balance} micro-units on the balance, {held} held")
        self.balance = balance
        self.held = held


class OtherUnit(LedgerError):
    """The amount is in a unit the account is not counted in any more."""

    def __init__(self, unit: str, counted_in: str) -> None:
        super().__init__(f"{unit} asked for, the account is counted in {counted_in}")
        self.unit = unit
        self.counted_in = counted_in
