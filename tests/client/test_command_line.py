"""The ``portal`` command as a person or a script runs it: its own process, nothing installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.conftest import Script
from tests.client.stand_in import CUSTOMER_KEY, StandIn, problem
from tests.client.test_reading import BALANCE, transaction

SOURCE = Path(__file__).parents[2] / "clients" / "python" / "src"
PRICING = {
    "unit": "EUR",
    "as_of": "2026-05-01T00:00:00Z",
    "approximate": True,
    "models": [
        {
            "id": "nano-banana-2",
            "name": "Nano Banana 2",
            "operations": [
                {
                    "operation": "generate",
                    "price": "0.04",
                    "per": "image",
                    "modifiers": [],
                    "requires": {"plan": "pro", "label": "Pro+", "met": False},
                    "available_from": "0.5",
                    "approximate": True,
                }
            ],
        },
        {
            "id": "processing",
            "name": "Processing",
            "operations": [
                {
                    "operation": "crop",
                    "price": "0",
                    "per": "request",
                    "modifiers": [],
                    "requires": None,
                    "approximate": False,
                }
            ],
        },
    ],
}
ESTIMATE = {
    "cost_estimate": "0.16",
    "range": {"low": "0.1", "high": "0.2"},
    "unit": "EUR",
    "lines": [{"what": "Nano Banana 2", "quantity": "4", "unit_price": "0.04", "amount": "0.16"}],
    "sufficient": False,
    "available_after": "-0.06",
}


def run(
    stand_in: StandIn, *arguments: str, key: str | None = CUSTOMER_KEY
) -> subprocess.CompletedProcess[str]:
    """``python -S``: no site-packages, so only the standard library is there."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SOURCE),
        "PYTHONIOENCODING": "utf-8",
        "PORTAL_URL": stand_in.url,
        **({"PORTAL_API_KEY": key} if key else {}),
    }
    command = [sys.executable, "-S", "-m", "portal_client", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_balance_for_a_person(stand_in: StandIn, script: Script) -> None:
    script(200, BALANCE)
    done = run(stand_in, "balance")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Account        acct_1 (prepaid)",
        "Balance        12.5 credits",
        "Available      7.5 credits",
        "Held           5 credits",
        "Credit price   0.1 USD",
        "Prices         static 5, full 15",
        "Auto-recharge  below 20 credits, 25 each time",
        "",
        "Credits from  Remaining  Expire",
        "bonus              12.5  never",
    ]


def test_json_is_the_portals_own_answer(stand_in: StandIn, script: Script) -> None:
    script(200, BALANCE)
    assert json.loads(run(stand_in, "balance", "--json").stdout) == BALANCE


def test_usage_is_a_table_and_names_the_next_page(stand_in: StandIn, script: Script) -> None:
    row = transaction(1) | {"description": "evil \x1b[31m"}
    refund = transaction(2) | {"type": "refund", "amount": "5"}
    script(200, {"data": [row, refund], "next_cursor": "abc"})
    done = run(stand_in, "usage", "--type", "usage", "--limit", "2", "--from", "2026-05-01")
    assert done.stdout.splitlines() == [
        "Time (UTC)           Type    Amount  Balance  Description",
        "2026-05-01 10:00:00  usage   -0.061    9.939  evil \ufffd[31m",
        "2026-05-01 10:00:00  refund      +5    9.939  seedream-4-5",
        "",
        "Older ones: add --cursor abc, or --all.",
    ]
    assert stand_in.seen[0][1] == "/v1/usage?type=usage&from=2026-05-01T00%3A00%3A00Z&limit=2"


def test_usage_of_everything_follows_the_pages(stand_in: StandIn, script: Script) -> None:
    script(200, {"data": [transaction(2)], "next_cursor": "abc"})
    script(200, {"data": [transaction(1)], "next_cursor": None})
    done = json.loads(run(stand_in, "usage", "--all", "--json").stdout)
    assert [row["id"] for row in done["data"]] == ["txn_2", "txn_1"]


def test_pricing_needs_no_key(stand_in: StandIn, script: Script) -> None:
    script(200, PRICING)
    done = run(stand_in, "pricing", key=None)
    assert done.stdout.splitlines()[:3] == [
        "Model          Operation  Price (EUR)  Per      Needs",
        "nano-banana-2  generate        ≈ 0.04  image    Pro+, 0.5 EUR available",
        "processing     crop              free  request",
    ]
    assert "Authorization" not in stand_in.seen[0][2]


def test_estimate_sends_parameters_and_shows_the_lines(stand_in: StandIn, script: Script) -> None:
    script(200, ESTIMATE)
    done = run(stand_in, "estimate", "nano-banana-2", "-p", "count=4", "-p", "resolution=2K")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "What           Quantity  Unit price  Amount (EUR)",
        "Nano Banana 2         4        0.04          0.16",
        "",
        "Estimate         0.16 EUR",
        "Range            0.1 to 0.2",
        "Enough funds     no",
        "Available after  -0.06",
    ]
    assert json.loads(stand_in.seen[0][3]) == {
        "model": "nano-banana-2",
        "operation": "generate",
        "parameters": {"count": 4, "resolution": "2K"},
    }


def test_pricing_shows_options_agreements_and_what_is_next(stand_in: StandIn, script: Script) -> None:
    static = {
        "operation": "generate",
        "price": "4.5",
        "list_price": "5",
        "offers": ["Friends"],
        "per": "image",
        "modifiers": [
            {"name": "", "when": {"resolution": ["2K", "4K"]}, "times": "2", "add": "0", "requires": None},
            {"name": "HD", "when": {}, "price": "85", "requires": {"label": "Premium"}, "approximate": True},
        ],
        "requires": None,
        "approximate": False,
    }
    models = [{"id": "static", "name": "Static", "operations": [static]}]
    script(200, PRICING | {"models": models, "locked_until": "2027-01-01T00:00:00Z"})
    script(200, PRICING | {"models": models, "next_change_at": "2026-06-01T00:00:00Z"})
    mine = run(stand_in, "pricing").stdout.splitlines()
    assert mine == [
        "Model   Operation              Price (EUR)  Per    Needs",
        "static  generate                       4.5  image",
        "          resolution 2K or 4K          × 2",
        "          HD                          ≈ 85         Premium",
        "",
        "≈ approximate: the actual cost is known after the work is done.",
        "static generate: 5 for others (Friends).",
        "These prices are kept for you until 2027-01-01.",
    ]
    later = run(stand_in, "pricing", "--profile", "ads", "--as-of", "2026-05-20").stdout
    assert later.splitlines()[-1] == "The next change is on 2026-06-01."
    assert stand_in.seen[1][1] == "/v1/pricing?profile=ads&as_of=2026-05-20T00%3A00%3A00Z"


def test_an_estimate_says_what_is_closed_and_what_opens_it(stand_in: StandIn, script: Script) -> None:
    gate = {
        "open": False,
        "reason": "Basic includes 2 full sites a month, and they are used.",
        "opens": {"plan": "pro", "resets_at": "2026-06-01T00:00:00Z"},
        "plan": None,
        "needs_available": None,
        "monthly": {"count": "full-sites", "limit": 2, "used": 2, "resets_at": "2026-06-01T00:00:00Z"},
        "confirmation": True,
    }
    script(200, ESTIMATE | {"gate": gate, "as_of": "2026-05-01T00:00:00Z"})
    done = run(stand_in, "estimate", "site", "--as-of", "2026-05-01T12:00+02:00")
    assert done.stdout.splitlines()[-4:] == [
        "Available after  -0.06",
        "Not available    Basic includes 2 full sites a month, and they are used.",
        "This month       2 of 2 used, anew on 2026-06-01",
        "Confirmation     needed: send confirm with the request",
    ]
    assert stand_in.seen[0][1] == "/v1/estimate?as_of=2026-05-01T10%3A00%3A00Z"


def test_the_answer_itself_is_printed_as_json(stand_in: StandIn, script: Script) -> None:
    script(200, ESTIMATE | {"something_new": "1"})
    assert json.loads(run(stand_in, "estimate", "m", "--json").stdout) == ESTIMATE | {"something_new": "1"}


def test_a_refusal_goes_to_stderr_with_its_remedies(stand_in: StandIn, script: Script) -> None:
    remedies = [{"code": "add_funds", "url": "https://x/credits/add"}]
    script(402, problem(402, "insufficient_credits", "Not enough", "Too few credits.", remedies=remedies)[1])
    done = run(stand_in, "balance")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == ["portal: Too few credits.", "  add funds: https://x/credits/add"]


def test_a_missing_key_is_said_before_anything_is_asked(stand_in: StandIn) -> None:
    done = run(stand_in, "balance", key=None)
    assert (done.returncode, stand_in.seen) == (2, [])
    assert "PORTAL_API_KEY" in done.stderr


@pytest.mark.slow
def test_a_portal_that_does_not_answer_has_its_own_exit_status(stand_in: StandIn) -> None:
    done = run(stand_in, "pricing", "--url", "http://127.0.0.1:1", "--timeout", "1")
    assert done.returncode == 3
    assert done.stderr.startswith("portal: No answer from the portal at http://127.0.0.1:1")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nothing",),
        ("usage", "--limit", "201"),
        ("usage", "--limit", "²"),
        ("usage", "--from", "yesterday"),
        ("estimate",),
        ("estimate", "m", "-p", "count"),
        ("balance", "--timeout", "0"),
        ("balance", "--url", "localhost"),
    ],
)
def test_wrong_use_is_explained(stand_in: StandIn, arguments: tuple[str, ...]) -> None:
    done = run(stand_in, *arguments)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr
