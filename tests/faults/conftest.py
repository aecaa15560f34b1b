"""What faults need."""

from tests.fire import note, world

__all__ = ["note", "world"]
