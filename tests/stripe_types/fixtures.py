"""`checked_stripe`: fails a test at its end if a request, an answer or an event was not of Stripe's types.

Import it into a conftest beside `stripe_simulator`, then ask for it, or
`pytestmark = pytest.mark.usefixtures("checked_stripe")` for a whole file.
"""

from collections.abc import Iterator

import pytest

from tests.stripe_simulator.fixtures import Simulator
from tests.stripe_types.checker import check_object, check_request


def violations(simulator: Simulator, marks: dict[str, int], *, refused: bool = True) -> list[str]:
    """Everything wrong since these marks. `refused`: requests that were answered 4xx are checked too."""
    found: list[str] = []
    for entry in simulator.log(marks["log"]):
        if refused or entry["status"] < 400:
            found.extend(check_request(entry["method"], entry["path"], entry["form"]))
        found.extend(f"{entry['method']} {entry['path']}: {text}" for text in check_object(entry["body"]))
    for entry in simulator.events(marks["events"]):
        found.extend(check_object(entry["event"]))
    return found


@pytest.fixture
def checked_stripe(stripe_simulator: Simulator) -> Iterator[Simulator]:
    marks = stripe_simulator.marks()
    yield stripe_simulator
    fail_on(violations(stripe_simulator, marks))


def fail_on(found: list[str]) -> None:
    if found:
        pytest.fail("not of Stripe's types:\n" + "\n".join(dict.fromkeys(found)), pytrace=False)
