"""A studio process billing against a scriptable portal: one for each file, a fresh account for each test."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.client.stand_in import Running, StandIn
from tests.studio.running import StudioProcess


@pytest.fixture(scope="module")
def _running_portal() -> Iterator[StandIn]:
    running = Running(StandIn())
    yield running.portal
    running.close()


@pytest.fixture(scope="module")
def _running_studio(
    _running_portal: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StudioProcess]:
    process = StudioProcess(_running_portal.url, tmp_path_factory.mktemp("studio") / "data")
    process.start()
    yield process
    process.stop()


@pytest.fixture
def portal(_running_portal: StandIn) -> StandIn:
    """An account in EUR with 10 EUR: a hold for the estimate, settled later."""
    _running_portal.reset()
    return _running_portal


@pytest.fixture
def studio(portal: StandIn, _running_studio: StudioProcess) -> Iterator[StudioProcess]:
    yield _running_studio
    _running_studio.settle_down()


@pytest.fixture
def credits(portal: StandIn) -> StandIn:
    """The same portal, with an account of 50 credits that is charged on acceptance."""
    portal.unit, portal.price, portal.on_acceptance, portal.balance = "credit", Decimal(5), True, Decimal(50)
    return portal
