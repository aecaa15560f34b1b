"""What stands in the logs: one JSON object a line, who and what it is about, and never a secret."""

import json
import os
import subprocess
import sys
from typing import Any

import httpx
import pytest

from billing.ledger.models import Charge
from config.logs import hidden
from tests.billing.api.conftest import Api, Payer, ann, catalog, studio
from tests.billing.api.in_the_lane import in_lane
from tests.billing.api.working import work
from tests.production import PRODUCTION

__all__ = ["ann", "catalog", "studio"]

TALKATIVE = """
import logging, django, structlog
django.setup()
log = logging.getLogger("billing.services.payments")
structlog.contextvars.bind_contextvars(request_id="req-1234567", account="acct_1")
log.warning("payment %s of %s was refused", "pay_1", "ada@northwind.example", extra={"account": "acct_2"})
try:
    raise ValueError("bpk_abcdefghijklmnopqrstuvwxyz and postgres://portal:hunter2@db/portal and Bearer abc.def")
except ValueError:
    log.exception("stripe said sk_live_abcdef0123456789")
structlog.get_logger("x").info("done", keys=["whsec_0123456789abcdef"], who={"email": "sol@larkspur.example"})
"""


def production_lines(program: str) -> list[dict[str, Any]]:
    """What a program logs in production."""
    environment = {**os.environ, **PRODUCTION}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.slow
def test_production_logs_json_with_what_is_bound_and_nothing_secret() -> None:
    warned, failed, done = production_lines(TALKATIVE)
    assert (warned["event"], warned["level"]) == ("payment pay_1 of [hidden] was refused", "warning")
    assert (warned["request_id"], warned["logger"]) == ("req-1234567", "billing.services.payments")
    assert failed["event"] == "stripe said sk_live_[hidden]"
    assert (
        "ValueError: bpk_[hidden] and postgres://[hidden]@db/portal and Bearer [hidden]"
        in failed["exception"]
    )
    assert (done["keys"], done["who"]) == (["whsec_[hidden]"], {"email": "[hidden]"})
    assert all(line["timestamp"].endswith("Z") for line in (warned, failed, done))


@pytest.mark.parametrize(
    "text", ["acct_0199", "job_12@3", "ch_01a1f9ba2eab74c3929fb9915955552a", "a.b@", "key_1"]
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert hidden(text) == text


def calls(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The lines of money calls since the last time."""
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    return [json.loads(line) for line in lines]


@pytest.mark.django_db
def test_a_call_s_line_names_request_account_charge_and_outcome(
    ann: Payer, studio: Api, settings: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    settings.LOG_MONEY_CALLS = True
    answer = studio.post("/v1/charges", work(ann), **{"X-Request-Id": "req-12345678"})
    refused = studio.post("/v1/charges", work(ann, model="nothing"))
    ann.api.get("/v1/balance")
    accepted, second = calls(capfd)
    assert (accepted["request_id"], accepted["account"]) == ("req-12345678", ann.account.public_id)
    assert (accepted["charge"], accepted["status"], accepted["code"]) == (answer.body["id"], 202, "settled")
    assert (second["status"], second["code"], second["account"]) == (422, refused.code, ann.account.public_id)
    assert second["request_id"] == refused.headers["X-Request-Id"] != accepted["request_id"]


@pytest.mark.django_db(transaction=True)
def test_the_lane_s_lines_are_the_same_and_tell_no_key(
    ann: Payer, studio: Api, settings: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    settings.LOG_MONEY_CALLS = True

    async def session(client: httpx.AsyncClient) -> list[httpx.Response]:
        good = await client.post("/v1/charges", json=work(ann), headers={"X-Request-Id": "req-12345678"})
        settled = await client.post(f"/v1/charges/{good.json()['id']}/settle", json={})
        stranger = {"Authorization": f"Bearer {ann.key[:-1]}x"}
        return [good, settled, await client.post("/v1/charges", json=work(ann), headers=stranger)]

    good, settled, refused = in_lane(studio, session)
    placed, finished, unknown = calls(capfd)
    charge = Charge.objects.get()
    assert (placed["request_id"], placed["account"]) == ("req-12345678", ann.account.public_id)
    assert (placed["charge"], placed["code"], placed["path"]) == (charge.public_id, "settled", "/v1/charges")
    assert good.headers["X-Request-Id"] == "req-12345678"
    assert (finished["charge"], finished["account"]) == (charge.public_id, ann.account.public_id)
    assert finished["request_id"] == settled.headers["X-Request-Id"]
    assert (unknown["status"], "account" in unknown) == (401, False)
    told = json.dumps([placed, finished, unknown])
    assert refused.status_code == 401
    assert ann.key not in told
    assert ann.account.email not in told


@pytest.mark.django_db
def test_nothing_is_written_where_it_was_not_asked_for(
    ann: Payer, studio: Api, capfd: pytest.CaptureFixture[str]
) -> None:
    studio.post("/v1/charges", work(ann))
    assert calls(capfd) == []
