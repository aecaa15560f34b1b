"""Reports of phases: what a charge keeps of them while its work goes on.

``Charge.reports`` is None, or a list of reports in their order, each ``{"at", "held", "returned", "cost", "phases"}``:
when it came, the micros that were held before it, those it gave back, what all that was reported by then comes to, and
what became of which phases. ``sql/finish.sql`` alone writes it, and adds to it only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

TIMED_OUT: Final = "The hold timed out before the work was settled."
"""The reason of a charge that its time ended: voided, or settled at what had been reported."""
Report = dict[str, Any]
Reports = Sequence[Report] | None
Told = dict[str, dict[str, Any]]
"""What became of phases, by id: ``status``, and what each produced."""


@dataclass(frozen=True, slots=True)
class ReportedPhase:
    """What became of one phase, and when that was reported."""

    id: str
    status: str
    at: datetime

    @property
    def words(self) -> str:
        """``motion video (failed)``."""
        name = self.id.replace("-", " ")
        return name if self.status == "succeeded" else f"{name} ({self.status})"


def told(reports: Reports) -> Told:
    """What was reported of each phase, in the order of the reports."""
    return {phase: said for report in reports or () for phase, said in report["phases"].items()}


def phases(reports: Reports) -> list[ReportedPhase]:
    """The phases that were reported, in their order."""
    return [
        ReportedPhase(phase, said["status"], datetime.fromisoformat(report["at"]))
        for report in reports or ()
        for phase, said in report["phases"].items()
    ]


def earned(reports: Reports) -> int | None:
    """The micros that what was reported comes to; None where nothing was."""
    return reports[-1]["cost"] if reports else None


def first_hold(amount: int, reports: Reports) -> int:
    """The micros set aside when the charge was authorized, of one that holds ``amount`` by now."""
    held: int = reports[0]["held"] if reports else amount
    return held
