"""The invariants of the books, after whatever was done to them."""

from billing.services import reconciliation


def broken() -> list[str]:
    """Each invariant that does not hold, in words."""
    return [
        f"{finding.promise} {finding.breaches} do not: {', '.join(finding.examples)}"
        for finding in reconciliation.run()
        if finding.breaches
    ]
