"""One figure of a price list: what is asked for, what it costs, and where it is read back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """``price`` per ``per`` is what the list says, of the operation or of its ``option``; ``shown`` is what the page says.

    A request with ``parameters`` is estimated, held and charged at ``cost``; where that is approximate it lies between
    ``low`` and ``high``. ``plan`` is the lowest that opens it, ``mode`` the account's, where the profile has several.
    """

    profile: str
    model: str
    operation: str = "generate"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cost: str
    price: str
    per: str = "request"
    option: str = ""
    shown: str
    plan: str = ""
    mode: str = ""
    low: str = ""
    high: str = ""

    def __str__(self) -> str:
        asked = ",".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.profile}-{self.model}.{self.operation}-{asked}-{self.cost}"
