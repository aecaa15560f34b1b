"""Whatever is asked about the past, by page or API, is answered, and never with an error of ours."""

import random

import pytest
from django.test import Client
from django.utils.timezone import now

from accounts.keys import create_key
from accounts.models import BillingAccount
from tests.billing.views.conftest import work

TIMES = (
    "2026-09-01T00:00", "2026-09-01T00:00:00", "2026-11-20T10:00", "2026-09-01T00:00:00Z",
    "0001-01-01T00:00", "9999-12-31T23:59", "9999-12-31T23:59:59.999999-23:59",
    "0001-01-01T00:00:00+23:59", "2026-02-30T00:00", "-2026-01-01T00:00", "1e400", "NaN", "", "\x00",
    "٢٠٢٦-01-01T00:00", "2026-01-01T00:00\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "'; DROP TABLE x; --", "9" * 5000, "2026-W01", "2026-366", "[]", "null", "true", "2026-01-01T24:00",
    "2026-06-30T23:59:60Z", "1700000000", "%", "é漢",
)  # fmt: skip
MONTHS = (
    "2026-11", "2026-1", "2026-00", "2026-13", "0000-01", "9999-12", "99999-01", "٢٠٢٦-11",
    "2026-11-01", "-2026-11", " 2026-11", "2026-11%00", "%2e%2e", "x" * 3000, "2026_11", "1e3-11", "é",
    "null",
)  # fmt: skip
IDS = ("txn_", "txn_" + "0" * 32, "txn_" + "f" * 33, "ch_" + "0" * 32, "%00", "..%2f..", "txn_" + "Z" * 32)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "rounds"),
    [(10, 12), *(pytest.param(seed, 120, marks=pytest.mark.slow) for seed in range(4))],
)
def test_nonsense_about_the_past_is_no_error_of_ours(
    account: BillingAccount, browser: Client, seed: int, rounds: int
) -> None:
    work(account, 5)
    key = {"Authorization": f"Bearer {create_key(account=account, name='k')[1]}"}
    dice, seen = random.Random(seed), set()
    mine = f"{now():%Y-%m}"
    for _ in range(rounds):
        one, other, month = dice.choice(TIMES), dice.choice(TIMES), dice.choice((mine, dice.choice(MONTHS)))
        kind = dice.choice(("csv", "pdf"))
        for path, query in (
            ("/balance/changes", {"since": one, "until": other}),
            (f"/statements/{month}.{kind}", {}),
            (f"/transactions/{dice.choice(IDS)}", {}),
        ):
            seen.add((path.split("/")[1], browser.get(path, query).status_code))
        for path, query in (
            ("/v1/balance", {"as_of": one}),
            ("/v1/balance/changes", {"from": one, "to": other}),
            (f"/v1/statements/{month}.{kind}", {}),
        ):
            seen.add((path.split("/")[2], browser.get(path, query, headers=key).status_code))
    assert {status for _, status in seen} <= {200, 404, 422}
    assert {("balance", 200), ("balance", 422), ("statements", 200), ("statements", 404)} <= seen
