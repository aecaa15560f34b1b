"""Usage: totals, bars, filters, the export, and how far estimates were off."""

import csv
import io
import uuid

import pytest
from django.test import Client
from django.urls import reverse

from accounts.keys import create_key
from accounts.models import ApiKey, BillingAccount, Role
from billing.ledger import usage_days
from billing.ledger.holds import FinishRequest, finish
from billing.selectors.usage import today
from billing.services.charges import refund
from config.ids import public_id
from tests.billing.views.conftest import CREDIT, SignIn, work
from tests.billing.views.test_overview import text_of


@pytest.fixture
def key(account: BillingAccount) -> ApiKey:
    return create_key(account=account, name="Laptop")[0]


def settle(charge: str, credits: str) -> None:
    micros = int(float(credits) * CREDIT)
    assert finish([FinishRequest(id=uuid.UUID(charge), action="settle", cost=micros)])[0]["code"] == "settled"


def test_a_new_account_sees_a_request_to_copy(browser: Client) -> None:
    text = text_of(browser.get("/usage"))
    assert "Nothing used yet" in text
    assert "/v1/estimate" in text


def test_totals_bars_and_table_agree(account: BillingAccount, browser: Client, key: ApiKey) -> None:
    work(account, 15, model="full", api_key=key.pk)
    work(account, 5, api_key=key.pk)
    given_back = work(account, 5)
    refund(uuid.UUID(given_back["id"]), None, "The picture was black.")
    page = browser.get("/usage")
    text = text_of(page)
    assert "Total20 credits3 requests, 5 credits refunded" in text
    assert "Full 15 credits" in text  # the legend
    assert "Static 10 credits" in text
    assert page.content.decode().count('class="chart-day"') == 30
    rows = {row.name: (row.used, row.net, row.requests, row.share) for row, _ in page.context["rows"]}
    assert rows == {"Full": (15 * CREDIT, 15 * CREDIT, 1, 60), "Static": (10 * CREDIT, 5 * CREDIT, 2, 40)}


def test_folding_changes_nothing_anybody_sees(account: BillingAccount, browser: Client) -> None:
    work(account, 15, model="full")
    before = text_of(browser.get("/usage")).split("data to")
    usage_days.fold_all()
    work_after = text_of(browser.get("/usage")).split("data to")
    assert before[0] == work_after[0]


@pytest.mark.parametrize(
    ("group", "names"),
    [("model", {"Full", "Static"}), ("operation", {"Generate"}), ("key", {"Laptop", "No key"})],
)
def test_bars_are_grouped_as_asked(
    account: BillingAccount, browser: Client, key: ApiKey, group: str, names: set[str]
) -> None:
    work(account, 15, model="full", api_key=key.pk)
    work(account, 5)
    page = browser.get(f"/usage?group={group}")
    assert {row.name for row, _ in page.context["rows"]} == names
    assert {series.name for series in page.context["page"].chart.series} == names


def test_a_click_on_a_bar_filters_and_a_chip_lifts_it(
    account: BillingAccount, browser: Client, key: ApiKey
) -> None:
    work(account, 15, model="full", api_key=key.pk)
    work(account, 5)
    urls = {row.name: url for row, url in browser.get("/usage?period=7d").context["rows"]}
    assert urls["Full"] == "/usage?period=7d&group=operation&model=full"
    page = browser.get(urls["Full"])
    assert page.context["page"].total == 15 * CREDIT
    assert [(chip.label, chip.url) for chip in page.context["chips"]] == [
        ("Model: Full", "/usage?period=7d&group=operation")
    ]
    by_key = {row.name: url for row, url in browser.get("/usage?group=key").context["rows"]}
    assert by_key["Laptop"] == f"/usage?key={public_id('key', key.pk)}"
    assert browser.get(by_key["Laptop"]).context["page"].total == 15 * CREDIT
    assert browser.get(by_key["No key"]).context["page"].total == 5 * CREDIT
    assert [chip.label for chip in browser.get(by_key["No key"]).context["chips"]] == ["API key: No key"]


def test_a_filter_that_fits_nothing_says_so(account: BillingAccount, browser: Client) -> None:
    work(account, 5)
    assert "Nothing fits these filters." in text_of(browser.get("/usage?model=other"))


@pytest.mark.parametrize("query", ["period=x&group=y", "key=acct_1", "model=%00", "period=", "key=key_zz"])
def test_nonsense_in_the_url_is_as_nothing(account: BillingAccount, browser: Client, query: str) -> None:
    work(account, 5)
    assert browser.get(f"/usage?{query}").context["page"].total == 5 * CREDIT


def test_only_the_results_for_htmx(account: BillingAccount, browser: Client) -> None:
    part = browser.get("/usage", headers={"HX-Request": "true", "HX-Target": "usage"}).content.decode()
    assert "<html" not in part


def test_a_stranger_s_usage_stays_theirs(
    account: BillingAccount, stranger: BillingAccount, sign_in: SignIn
) -> None:
    work(account, 5)
    other = sign_in(stranger, Role.OWNER)
    assert "Nothing used yet" in text_of(other.get("/usage"))
    assert len(other.get("/usage.csv").content.decode("utf-8-sig").splitlines()) == 1


def test_the_export_has_a_line_per_day_model_operation_and_key(
    account: BillingAccount, browser: Client, key: ApiKey
) -> None:
    key.name = "=cmd"
    key.save()
    work(account, 15, model="full", api_key=key.pk)
    outcome = work(account, 5)
    refund(uuid.UUID(outcome["id"]), 2 * CREDIT, "Late")
    answer = browser.get("/usage.csv")
    found = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    day = today().isoformat()
    assert answer["Content-Disposition"].endswith(f'{day}.csv"')
    assert [list(row.values()) for row in found] == [
        [day, "full", "generate", "'=cmd", "1", "15", "0", "15", "credit"],
        [day, "static", "generate", "No key", "1", "5", "2", "3", "credit"],
    ]


def test_estimates_are_held_against_what_the_work_did_cost(account: BillingAccount, browser: Client) -> None:
    for cost in ("10", "9.5", "8", "12"):
        settle(work(account, 10, settle_now=False)["id"], cost)
    work(account, 5)  # charged on acceptance: nothing to compare
    work(account, 5, settle_now=False)  # still open
    (entry,) = browser.get("/usage").context["estimates"]
    model, operation, one = entry
    assert (model, operation, one.count, one.over_hold) == ("Static", "Generate", 4, 1)
    assert (one.estimated, one.effective) == (40 * CREDIT, 39_500_000)
    # Errors are 0, 5, 20 and 20 percent; the lower of the two in the middle is the median.
    assert (one.median, one.p95, one.excess) == (50_000, 200_000, 200_000)
    text = text_of(browser.get("/usage"))
    assert "Estimate against actual" in text
    assert "5.0% 20.0% 25.0%" in text


@pytest.mark.parametrize("role", Role.values)
def test_every_role_may_look(account: BillingAccount, sign_in: SignIn, role: str) -> None:
    assert sign_in(account, role).get(reverse("usage_page")).status_code == 200


def test_the_number_of_queries_does_not_grow_with_the_history(
    account: BillingAccount, browser: Client, django_assert_max_num_queries: object
) -> None:
    for _ in range(20):
        work(account, 1)
    with django_assert_max_num_queries(11):  # type: ignore[operator]
        browser.get("/usage")
