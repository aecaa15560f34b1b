"""The API against a fuzzer that reads its OpenAPI document: valid input, almost valid input, and nonsense.

No 5xx, no status, content type or field that is not documented, nothing wrong accepted, nothing opened
without a key; and after all of it the books still balance. Seeded, so that a failure comes again:
FUZZ_SEED and FUZZ_EXAMPLES (per operation) change what is tried.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.db.models import F, Sum
from hypothesis import HealthCheck, Phase, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from billing.api.document import document
from billing.ledger.models import Balance, Charge, Posting, Transaction
from tests.billing.api.conftest import Api, Payer
from tests.billing.api.working import authorize, hold
from tests.stripe_simulator.fixtures import Simulator

SEED = int(os.environ.get("FUZZ_SEED", "20261120"))
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    ignored_auth,
    unsupported_method,
]
MODELS = ("static", "full", "seedream-4-5", "flux-1-schnell")


class World:
    """What a valid request can name, so that the fuzzer reaches what lies behind the checks."""

    def __init__(self, ann: Payer, eva: Payer, studio: Api) -> None:
        self.ann, self.eva, self.studio = ann, eva, studio
        self.charges = [hold(studio, eva)["id"] for _ in range(20)]
        self.charges += [authorize(studio, ann)["id"] for _ in range(5)]

    def key_for(self, case: Case[Any]) -> str:
        """The key that this operation takes."""
        schemes = {name for way in case.operation.definition.raw.get("security", []) for name in way}
        key = self.studio.key if "ServiceAuth" in schemes else self.eva.key
        assert key is not None
        return key

    def make_real(self, case: Case[Any], number: int) -> None:
        """Let two of three valid requests name things that exist."""
        if number % 3 == 0:
            return
        if "charge_id" in (case.path_parameters or {}):
            case.path_parameters["charge_id"] = self.charges[number % len(self.charges)]
        for body in self._works(case.body):
            body["model"] = MODELS[number % len(MODELS)]
            body["operation"] = "generate"
            if "customer" in body:
                body["customer"] = (self.ann if number % 2 else self.eva).by_key
            if number % 5:
                body["parameters"] = {"count": 1 + number % 4}

    @staticmethod
    def _works(body: Any) -> list[dict[str, Any]]:
        if not isinstance(body, dict):
            return []
        entries = body.get("charges", [body])
        return [entry for entry in entries if isinstance(entry, dict) and "model" in entry]


@pytest.fixture
def world(ann: Payer, eva: Payer, studio: Api, payments_at: Simulator) -> Iterator[World]:
    """The test's transaction outlives the requests, as Django's own test client sees to.

    Whatever was sent to an operation, the books balance after it.
    """
    world = World(ann, eva, studio)
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield world
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
    _books_balance()


schema = schemathesis.openapi.from_dict(document())
schema.app = WSGIHandler()
counted = {"requests": 0}


@pytest.mark.slow
@schema.parametrize()
@seed(SEED)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_nothing_breaks_and_nothing_is_undocumented(case: Case[Any], world: World) -> None:
    counted["requests"] += 1
    if case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE:
        world.make_real(case, counted["requests"])
    case.call_and_validate(checks=CHECKS, headers={"Authorization": f"Bearer {world.key_for(case)}"})


def _books_balance() -> None:
    """The invariants that any sequence of requests must keep."""
    assert (Posting.objects.aggregate(total=Sum("amount"))["total"] or 0) == 0
    for row in Balance.objects.all():
        held = Charge.objects.filter(account_id=row.pk, status="authorized").aggregate(total=Sum("amount"))
        assert row.held == (held["total"] or 0)
        moved = Transaction.objects.filter(account_id=row.pk).aggregate(total=Sum("amount"))["total"]
        assert row.balance == (moved or 0)
    assert not Balance.objects.filter(balance__lt=F("held") - F("credit_limit") - F("overdraft")).exists()
