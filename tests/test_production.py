"""Production does not start with a setting that is missing or unsafe, and says which in one sentence."""

import os
import subprocess
import sys

import pytest

from tests.production import PRODUCTION

pytestmark = pytest.mark.slow

SET = PRODUCTION | {"DATABASE_URL": "postgres://portal@127.0.0.1:1/portal"}


def refusal(without: str = "", **changes: str) -> str:
    """The last line of what it says; empty when it starts."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("STRIPE_", "PORTAL_"))}
    environment = mine | SET | changes
    environment.pop(without, None)
    command = [sys.executable, "-c", "import config.settings.production"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def test_with_everything_set_it_starts() -> None:
    assert refusal() == ""


@pytest.mark.parametrize("name", sorted(SET.keys() - {"DJANGO_SETTINGS_MODULE", "STRIPE_API_HOST"}))
def test_what_is_missing_is_named(name: str) -> None:
    assert f"ImproperlyConfigured: Set {name}: " in refusal(without=name)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SECRET_KEY", "short", "SECRET_KEY is shorter than 50 characters"),
        ("STRIPE_API_HOST", "http://127.0.0.1:12111", "never to the simulator"),
        ("PORTAL_BASE_URL", "http://billing.example.com", "must begin with https://"),
        ("STRIPE_SECRET_KEY", "pk_live_1", "not a secret key of Stripe"),
        ("STATEMENT_SIGNING_KEY", "c2hvcnQ=", "STATEMENT_SIGNING_KEY"),
        ("STRIPE_WEBHOOK_ENDPOINT", "0199b7c0-0000-7000-8000-000000000001", "Set STRIPE_WEBHOOK_SECRET"),
    ],
)
def test_what_is_unsafe_is_refused(name: str, value: str, said: str) -> None:
    assert said in refusal(**{name: value})
