"""The process itself: what survives it, and where it refuses to start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import stripe

from tests.stripe_simulator.fixtures import Simulator
from tests.stripe_simulator.receiver import receiving

_ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_killed_simulator_has_lost_nothing_that_was_answered(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path / "state.sqlite")
    simulator.start()
    try:
        client = simulator.client()
        simulator.webhooks(hold=True)
        with receiving() as receiver:
            simulator.send_events_to(receiver.url, receiver.secret)
            made = client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "k1"})
            simulator.kill()
            simulator.start()
            assert client.v1.customers.retrieve(made.id).name == "Ada"
            assert client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "k1"}).id == made.id
            simulator.release()
            simulator.wait_idle()
            assert receiver.types == ["customer.created"]
    finally:
        simulator.stop()


def test_reset_leaves_nothing_but_the_endpoint(simulator: Simulator, client: stripe.StripeClient) -> None:
    simulator.set_now(2_000_000_000)
    simulator.faults("error")
    simulator.reset()
    assert client.v1.customers.list().data == []
    assert simulator.events() == []
    assert simulator.now() < 2_000_000_000


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["--host", "0.0.0.0"], {}, "loopback only"),
        ([], {"DJANGO_SETTINGS_MODULE": "config.settings.production"}, "production settings"),
        (["--webhook-url", "http://127.0.0.1:1/"], {}, "belong together"),
    ],
)
def test_it_does_not_start_where_it_has_no_business(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], said: str
) -> None:
    command = [sys.executable, "-m", "stripe_simulator", "--port", "1", "--state", str(tmp_path / "s.sqlite")]
    run = subprocess.run(
        command + arguments,
        cwd=_ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": ""} | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert run.returncode != 0
    assert said in run.stderr
    assert not (tmp_path / "s.sqlite").exists()


def test_the_clock_can_be_set_moved_and_frozen(simulator: Simulator, client: stripe.StripeClient) -> None:
    simulator.set_now(1_900_000_000, freeze=True)
    assert client.v1.customers.create({}).created == 1_900_000_000
    simulator.advance(3600)
    assert abs(simulator.now() - 1_900_003_600) <= 1
