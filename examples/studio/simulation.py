"""Trouble on request, for trying out an integration: the field ``simulate`` of every POST."""

import time

from examples.studio.jobs import Job, WorkFailed

# failure: it fails after acceptance. slow: it takes some seconds longer. partial: half of the images fail.
SIMULATIONS = ("none", "failure", "slow", "partial")
SLOW_SECONDS = 3.0


def simulate(job: Job) -> None:
    """Raises WorkFailed for ``failure``; takes its time for ``slow``."""
    wanted = job.request.get("simulate")
    if wanted == "slow":
        time.sleep(SLOW_SECONDS)
    if wanted == "failure":
        raise WorkFailed("The generation failed, as the request asked for.")
