"""All races; importing this puts them on the list."""

from soak.races import ends, holds, money, payments, phases, plans, recharges, repeats
from soak.races.race import RACES

__all__ = ["RACES", "ends", "holds", "money", "payments", "phases", "plans", "recharges", "repeats"]
