"""What a check of the books is, and what it finds."""

from dataclasses import dataclass
from typing import Final

START: Final = """
SELECT b.account_id, coalesce(c.seq, 0) AS seq, coalesce(c.head, decode(repeat('00', 32), 'hex')) AS head,
       coalesce(c.balance, 0) AS balance
  FROM ledger_balance b
  LEFT JOIN billing_chaincheckpoint c ON c.account_id = b.account_id AND NOT %(everything)s
 WHERE %(everything)s OR b.seq IS DISTINCT FROM c.seq
"""
"""Where each account's verified history ends; nowhere yet when everything is wanted. Accounts without news are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One invariant: its name, what it promises, what to do when it is broken, and the SQL that finds breaches.

    Each row of ``sql`` is one breach, a text; it may read ``start`` (START). A check that is ``long`` reads whole tables
    and runs only when everything is wanted.
    """

    name: str
    promise: str
    remedy: str
    sql: str
    long: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; ``examples`` are the first breaches. With 0 breaches the promise is kept."""

    name: str
    promise: str
    remedy: str
    breaches: int
    examples: tuple[str, ...]
