"""How a run says how far it is, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[int], bool]
"""Told how much is done; answers whether there is time for more."""


@dataclass
class Told:
    """What came of it."""

    operations: int
    breaches: list[str]
    seconds: float
    remark: str = ""


def go_on(done: int) -> bool:
    """For who has all the time there is."""
    return True
