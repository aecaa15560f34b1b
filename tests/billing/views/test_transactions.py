"""The history page: filters in the URL, keyset pages, stories, files."""

import csv
import io
import re
import uuid
import zipfile
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from django.utils.timezone import now

from accounts.keys import create_key
from accounts.models import BillingAccount
from billing.exports import plain_cell
from billing.ledger import grants, holds
from billing.ledger.models import Transaction
from billing.selectors import transactions as read
from billing.services.charges import refund
from tests.billing.views.conftest import CREDIT, SignIn, work

HTMX = {"HTTP_HX_REQUEST": "true"}


def details(html: str) -> list[str]:
    """The descriptions of the rows, in order."""
    return [text.strip() for text in re.findall(r'class="txn-link"[^>]*>([^<]*)</a>', html)]


def get(browser: Client, path: str, **headers: str) -> str:
    response = browser.get(path, **headers)  # type: ignore[arg-type]
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def test_rows_are_newest_first_with_signed_amounts(account: BillingAccount, browser: Client) -> None:
    work(account, 5)
    html = get(browser, "/transactions")
    assert details(html) == ["Static, generate", "Welcome bonus"]
    text = re.sub(r"<[^>]+>", "", html)
    assert "−5" in text
    assert "+50" in text


def test_segments_filter_and_live_in_the_url(account: BillingAccount, browser: Client) -> None:
    work(account, 5)
    assert details(get(browser, "/transactions?type=usage")) == ["Static, generate"]
    html = get(browser, "/transactions?type=grants&q=bonus")
    assert details(html) == ["Welcome bonus"]
    assert (
        'href="/transactions?type=usage&amp;q=bonus"' in html
        or 'href="/transactions?q=bonus&amp;type=usage"' in html
    )


@pytest.mark.parametrize("word", ["job_ab", "JOB_AB", "static"])
def test_search_finds_reference_and_model(account: BillingAccount, browser: Client, word: str) -> None:
    work(account, 5, reference="job_abc")
    assert details(get(browser, f"/transactions?q={word}")) == ["Static, generate"]


def test_nothing_matches_says_so_and_offers_to_clear(account: BillingAccount, browser: Client) -> None:
    html = get(browser, "/transactions?q=xyzzy")
    assert "Nothing matches" in html
    assert "Clear filters" in html


def test_percent_signs_are_letters_in_a_search(account: BillingAccount, browser: Client) -> None:
    assert details(get(browser, "/transactions?q=%25")) == []


def test_days_are_whole_and_included(account: BillingAccount, browser: Client) -> None:
    today, tomorrow = now().date(), now().date() + timedelta(days=1)
    assert details(get(browser, f"/transactions?since={today}&until={today}")) == ["Welcome bonus"]
    assert details(get(browser, f"/transactions?since={tomorrow}")) == []
    assert details(get(browser, f"/transactions?until={today - timedelta(days=1)}")) == []


def test_model_and_key_filter(account: BillingAccount, browser: Client) -> None:
    key, _ = create_key(account=account, name="Server")
    work(account, 5, model="full", description="Full, generate", api_key=key.pk)
    work(account, 5)
    assert details(get(browser, "/transactions?model=full")) == ["Full, generate"]
    assert details(get(browser, f"/transactions?key=key_{key.pk.hex}")) == ["Full, generate"]


@pytest.mark.parametrize(
    "query",
    ["since=nonsense", "until=9999-12-31", "since=0001-01-01", "type=x", "q=%00", "model=%00", "key=1",
     "before=x", "before=99999999999999999999", "before=9223372036854775807", "before=-1", "before=٣"],
)  # fmt: skip
def test_a_wrong_filter_does_not_filter_and_does_not_fail(browser: Client, query: str) -> None:
    assert details(get(browser, f"/transactions?{query}")) == ["Welcome bonus"]


def test_load_more_goes_on_where_the_page_ended(account: BillingAccount, browser: Client) -> None:
    for number in range(59):
        give(account, f"Gift {number}")
    first = get(browser, "/transactions?type=")
    assert len(details(first)) == read.PAGE
    more = re.search(r'hx-get="(/transactions\?before=\d+)"', first)
    assert more is not None
    rest = get(browser, more[1], HTTP_HX_TARGET="more", **HTMX)
    assert "<html" not in rest
    assert details(first) + details(rest) == [f"Gift {number}" for number in reversed(range(59))] + [
        "Welcome bonus"
    ]
    assert "That is everything" in rest
    give(account, "While reading")
    assert details(get(browser, more[1])) == details(rest)


def test_a_search_looks_back_a_stretch_at_a_time(
    account: BillingAccount, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "LOOKED_THROUGH", 3)
    for number in range(7):
        give(account, f"Gift {number}")
    first = get(browser, "/transactions?q=welcome")
    assert details(first) == []
    assert "Look further back" in first
    found, tries = first, 0
    while (more := re.search(r'hx-get="(/transactions\?[^"]*before=\d+)"', found)) and tries < 5:
        found = get(browser, more[1].replace("&amp;", "&"))
        tries += 1
    assert details(found) == ["Welcome bonus"]


def test_first_seq_is_the_first_at_or_after_the_moment(account: BillingAccount) -> None:
    for number in range(9):
        give(account, f"Gift {number}")
    moments = list(
        Transaction.objects.filter(account=account).order_by("seq").values_list("seq", "created_at")
    )
    for seq, moment in moments:
        assert read.first_seq(account.pk, moment) == min(s for s, m in moments if m >= moment)
        assert read.first_seq(account.pk, moment + timedelta(microseconds=1)) == min(
            [s for s, m in moments if m > moment], default=11
        ), seq
    assert read.first_seq(account.pk, moments[0][1] - timedelta(days=1)) == 1


def test_running_jobs_are_listed_above_the_history(account: BillingAccount, browser: Client) -> None:
    work(account, 7, settle_now=False, reference="job_running")
    html = get(browser, "/transactions")
    assert "Held by running jobs" in html
    assert "job_running" in html


def test_a_running_job_says_what_was_reported_of_it(account: BillingAccount, browser: Client) -> None:
    charge = uuid.UUID(work(account, 9, settle_now=False)["id"])
    phases = {"hero-image": {"status": "succeeded"}, "motion-video": {"status": "failed"}}
    report = holds.FinishRequest(id=charge, action="report", cost=2 * CREDIT, hold=4 * CREDIT, phases=phases)
    assert holds.finish([report])[0]["code"] == "reported"
    html = get(browser, "/transactions")
    assert "Reported so far: Hero image, Motion video (failed); comes to 2\xa0credits" in html


def test_a_story_tells_hold_settlement_and_refund(account: BillingAccount, browser: Client) -> None:
    held = work(account, 10, settle_now=False, reference="job_1")
    charge_id = uuid.UUID(held["id"])
    line = {"what": "Static, generate", "quantity": "2", "unit_price": "3.5", "amount": "7"}
    request = holds.FinishRequest(id=charge_id, action="settle", cost=7 * CREDIT, lines=[line])
    assert holds.finish([request])[0]["code"] == "settled"
    refund(charge_id, 2 * CREDIT, "Half of it was black.")
    usage = Transaction.objects.get(account=account, kind="usage")
    page = get(browser, f"/transactions/{usage.public_id}")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("\xa0", " ")
    assert text.index("Held") < text.index("Settled") < text.index("Refunded")
    assert "2 × 3 .5" in text
    assert "Bonus of" in text
    assert f"ch_{charge_id.hex}" in text
    part = get(browser, f"/transactions/{usage.public_id}", **HTMX)
    assert "<html" not in part
    assert "What happened" in part


@pytest.mark.parametrize("path", ["/transactions/{}", "/transactions/txn_{}"])
def test_somebody_else_s_transaction_is_not_there(
    browser: Client, stranger: BillingAccount, path: str
) -> None:
    theirs = Transaction.objects.get(account=stranger)
    assert browser.get(path.format(theirs.pk.hex)).status_code == 404


@pytest.mark.parametrize("path", ["/transactions", "/transactions.csv", "/transactions.xlsx"])
def test_every_role_may_read_the_history(account: BillingAccount, sign_in: SignIn, path: str) -> None:
    assert sign_in(account, "viewer").get(path).status_code == 200


def test_csv_has_every_row_that_passes_the_filters(account: BillingAccount, browser: Client) -> None:
    for number in range(12):
        give(account, f"Gift {number}")
    rows = csv_rows(browser, "/transactions.csv?type=other")
    assert len(rows) == 12
    assert rows[0]["description"] == "Gift 11"
    assert rows[0]["amount"] == "1"
    assert rows[0]["balance_after"] == "62"
    assert rows[0]["unit"] == "credit"
    assert rows[0]["transaction"].startswith("txn_")


def test_an_asynchronous_server_streams_the_same(account: BillingAccount, browser: Client) -> None:
    for number in range(3):
        give(account, f"Gift {number}")

    async def fetch() -> str:
        client = AsyncClient()
        client.cookies = browser.cookies
        response = await client.get("/transactions.csv")
        pieces = [piece async for piece in response.streaming_content]  # type: ignore[attr-defined]
        return b"".join(pieces).decode("utf-8-sig")

    rows = list(csv.DictReader(io.StringIO(async_to_sync(fetch)(), newline="")))
    assert [row["description"] for row in rows] == ["Gift 2", "Gift 1", "Gift 0", "Welcome bonus"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " =", "\n@", "\x00=", "＝"])
def test_a_cell_never_starts_a_formula(account: BillingAccount, browser: Client, start: str) -> None:
    evil = f"{start}HYPERLINK(A1)"
    assert plain_cell(evil).startswith("'")
    assert "\x00" not in plain_cell(evil)
    if "\x00" not in evil:
        work(account, 5, reference=evil)
        row = csv_rows(browser, "/transactions.csv?type=usage")[0]
        assert row["reference"].startswith("'")
        assert row["amount"] == "-5"


def test_harmless_cells_stay_as_they_are() -> None:
    assert plain_cell("job_1 = two") == "job_1 = two"


def test_xlsx_holds_texts_as_texts_and_amounts_as_numbers(account: BillingAccount, browser: Client) -> None:
    work(account, 5, reference="=1+1")
    response = browser.get("/transactions.xlsx")
    body = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    sheet = zipfile.ZipFile(io.BytesIO(body)).read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert re.search(r"<v>-5(\.0*)?</v>", sheet)
    assert "&apos;=1+1" in sheet or "'=1+1" in sheet


def give(account: BillingAccount, description: str) -> None:
    grants.add(
        account_id=account.pk,
        micros=CREDIT,
        source="admin",
        kind="adjustment",
        description=description,
        key=f"gift:{uuid.uuid4().hex}",
    )


def csv_rows(browser: Client, path: str) -> list[dict[str, str]]:
    response = browser.get(path)
    assert "attachment" in response["Content-Disposition"]
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(text, newline="")))
