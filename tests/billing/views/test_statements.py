"""The page of statements, their files, the published keys, and the balance between two moments."""

import base64
import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.utils.html import strip_tags
from portal_client import keyring
from portal_client import statements as checking
from pypdf import PdfReader

from accounts.models import BillingAccount
from billing.ledger import balances, grants
from billing.models import Statement
from billing.selectors import statements as read
from billing.services import statements
from tests.billing.ledger.conftest import at
from tests.billing.views.conftest import CREDIT, SignIn, work

AUGUST, OCTOBER = datetime(2026, 8, 31, 23, 59, 59, tzinfo=UTC), datetime(2026, 10, 20, 12, tzinfo=UTC)
NASTY = '=HYPERLINK("http://evil","x"),\n\'quoted\'\t"<b>" @é漢'
History = Callable[[], BillingAccount]


@pytest.fixture
def told(account: BillingAccount) -> BillingAccount:
    """Work in August, September and October; it is October the 20th. (The bonus came when the account was opened.)"""
    tamper_start(account)
    for moment in (
        AUGUST,
        datetime(2026, 9, 1, tzinfo=UTC),
        datetime(2026, 9, 30, 23, 59, 59, 999999, tzinfo=UTC),
    ):
        at(moment)
        work(account, 5, reference="-2+3", description=NASTY)
    at(OCTOBER)
    work(account, 15)
    return account


def tamper_start(account: BillingAccount) -> None:
    """Let the welcome bonus have come on August the 1st, as if the account had been opened then."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE ledger_transaction SET created_at = '2026-08-01T00:00:00Z' WHERE account_id = %s",
            [account.pk],
        )
        cursor.execute(
            "UPDATE ledger_transaction t SET hash = sha256(decode(repeat('00', 32), 'hex') || "
            "convert_to(ledger_text(t), 'UTF8')) WHERE account_id = %s", [account.pk]
        )  # fmt: skip
        cursor.execute("UPDATE ledger_balance b SET head = t.hash, posted_at = t.created_at FROM ledger_transaction t"
                       " WHERE t.account_id = b.account_id AND b.account_id = %s", [account.pk])  # fmt: skip
        cursor.execute("SET LOCAL session_replication_role = origin")


def downloaded(browser: Client, month: str, folder: Path) -> Path:
    answer = browser.get(f"/statements/{month}.csv")
    assert answer.status_code == 200
    file = folder / f"{month}.csv"
    file.write_bytes(b"".join(answer.streaming_content))  # type: ignore[attr-defined]
    return file


def published(browser: Client) -> dict[str, bytes]:
    return keyring.read(Client().get("/.well-known/statement-keys.json").json())


def test_closed_months_are_sealed_once_and_the_running_one_never(told: BillingAccount) -> None:
    assert statements.seal_due() == 2
    assert statements.seal_due() == 0
    august, september = Statement.objects.filter(account=told).order_by("month")
    assert (august.month.month, august.opening, august.closing, august.rows) == (8, 0, 45 * CREDIT, 2)
    assert (september.opening, september.closing, september.rows) == (45 * CREDIT, 35 * CREDIT, 2)
    assert bytes(september.head_before) == bytes(august.head)
    with pytest.raises(statements.NotOver):
        statements.seal(told.pk, read.month_of(OCTOBER))


def test_a_month_without_transactions_has_its_statement_too(told: BillingAccount) -> None:
    at(datetime(2026, 12, 5, tzinfo=UTC))
    assert statements.seal_due() == 4
    november = Statement.objects.get(account=told, month="2026-11-01")
    assert (november.rows, november.opening, november.closing) == (0, 20 * CREDIT, 20 * CREDIT)
    assert bytes(november.head) == bytes(november.head_before) != bytes(32)


def test_files_of_two_months_are_verified_offline_with_the_published_key(
    told: BillingAccount, browser: Client, tmp_path: Path
) -> None:
    statements.seal_due()
    keys = published(browser)
    reports = [checking.check(downloaded(browser, month, tmp_path), keys) for month in ("2026-08", "2026-09")]
    assert [report.wrong for report in reports] == [[], []]
    assert [len(report.checked) for report in reports] == [3, 3]
    assert checking.check_order(reports) == []


def test_no_cell_runs_as_a_formula_and_the_text_is_whole_again_after(
    told: BillingAccount, browser: Client, tmp_path: Path
) -> None:
    statements.seal_due()
    text = downloaded(browser, "2026-09", tmp_path).read_bytes().decode("utf-8-sig")
    cells = [cell for line in csv.reader(io.StringIO(text, newline="")) for cell in line]
    assert f"'{NASTY}" in cells
    assert "'-2+3" in cells
    risky = [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]
    assert {cell.lstrip("-").replace(".", "").isdigit() for cell in risky} == {True}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2026-09-01T00:00:00.000000Z", "2026-09-01T00:00:00.000001Z"),
        (",-5,", ",-4,"),
        (",35,", ",36,"),
        ("<b>", "<i>"),
        ("-2+3", "-2+4"),
        ("closing_balance,35", "closing_balance,36"),
        ("holder,", "holder,Southwind"),
        ("month,2026-09", "month,2026-08"),
        ("signature,", "signature,00"),
    ],
)
def test_a_statement_that_was_altered_is_not_in_order(
    told: BillingAccount, browser: Client, tmp_path: Path, old: str, new: str
) -> None:
    statements.seal_due()
    keys = published(browser)
    file = downloaded(browser, "2026-09", tmp_path)
    content = file.read_bytes().decode()
    assert old in content
    file.write_bytes(content.replace(old, new, 1).encode())
    assert checking.check(file, keys).wrong


def test_the_pdf_shows_the_figures_the_head_and_the_signature(told: BillingAccount, browser: Client) -> None:
    BillingAccount.objects.filter(pk=told.pk).update(name="<script>alert(1)</script> 漢 **Nord** \x07")
    statements.seal_due()
    statement = Statement.objects.get(account=told, month="2026-09-01")
    answer = browser.get("/statements/2026-09.pdf")
    assert answer["Content-Type"] == "application/pdf"
    pages = PdfReader(io.BytesIO(answer.content)).pages
    text = "".join(page.extract_text() for page in pages).replace("\n", "")
    assert "Statement for September 2026" in text
    assert "<script>alert(1)</script> ? **Nord** ?" in text
    assert bytes(statement.head).hex() in text
    assert bytes(statement.signature).hex() in text
    assert not any(annotation for page in pages for annotation in page.get("/Annots", []))


def test_the_running_month_is_a_preview_that_says_so(
    told: BillingAccount, browser: Client, tmp_path: Path
) -> None:
    statements.seal_due()
    report = checking.check(downloaded(browser, "2026-10", tmp_path), {})
    assert (report.wrong, report.head["state"]) == ([], "preview")
    assert "not signed" in report.not_checked[0]
    pdf = PdfReader(io.BytesIO(browser.get("/statements/2026-10.pdf").content))
    assert "Preview: the month still runs" in pdf.pages[0].extract_text()


def test_the_page_lists_months_and_what_is_not_sealed_yet(told: BillingAccount, browser: Client) -> None:
    page = browser.get("/statements").content.decode()
    assert page.count("Being prepared") == 2
    assert browser.get("/statements/2026-09.csv").status_code == 404
    statements.seal_due()
    page = browser.get("/statements").content.decode()
    assert (page.count("Signed"), page.count("Preview")) == (2, 1)
    assert "/statements/2026-09.pdf" in page


@pytest.mark.parametrize("month", ["2026-13", "2026-00", "0000-01", "2026-9", "x", "9999-12", "2026-11"])
def test_what_is_no_month_of_the_account_is_not_found(
    told: BillingAccount, browser: Client, month: str
) -> None:
    assert browser.get(f"/statements/{month}.csv").status_code == 404


def test_another_account_s_statement_is_not_shown(
    told: BillingAccount, stranger: BillingAccount, sign_in: SignIn
) -> None:
    statements.seal_due()
    assert sign_in(stranger, "owner").get("/statements/2026-09.csv").status_code == 404


def test_a_sealed_statement_is_never_changed(told: BillingAccount) -> None:
    statements.seal_due()
    with pytest.raises(DatabaseError):
        Statement.objects.update(closing=0)


def test_a_new_key_signs_from_then_on_and_the_old_one_stays_listed(
    told: BillingAccount, browser: Client, tmp_path: Path, settings: pytest.FixtureRequest
) -> None:
    statements.seal(told.pk, read.month_of(AUGUST))
    settings.STATEMENT_SIGNING_KEY = base64.b64encode(bytes(range(32))).decode()  # type: ignore[attr-defined]
    statements.seal_due()
    keys = published(browser)
    assert len(keys) == 2
    used = {
        (report := checking.check(downloaded(browser, month, tmp_path), keys)).head["key"]: report.wrong
        for month in ("2026-08", "2026-09")
    }
    assert (set(used), [wrong for wrong in used.values() if wrong]) == (set(keys), [])


def test_the_difference_between_two_moments_is_explained(told: BillingAccount, browser: Client) -> None:
    page = browser.get("/balance/changes", {"since": "2026-08-31T00:00", "until": "2026-09-30T23:59"})
    text = page.content.decode()
    assert page.context["changes"].micros == -15 * CREDIT
    assert page.context["changes"].opening.balance == 50 * CREDIT
    assert page.context["changes"].count == 3
    assert "Largest movements" in text
    assert "<td>Static</td>" in text, "models by the name they have on every other page"


@pytest.mark.parametrize(
    ("since", "until"),
    [
        ("2026-09-02T00:00", "2026-09-01T00:00"),
        ("x", "2026-09-01T00:00"),
        ("2026-09-01T00:00", "2027-09-01T00:00"),
        ("0001-01-01T00:00", "2026-09-01T00:00"),
        ("2026-09-01T00:00", "9999-12-31T23:59"),
    ],
)
def test_moments_that_cannot_be_compared_are_told_and_kept(
    told: BillingAccount, browser: Client, since: str, until: str
) -> None:
    page = browser.get("/balance/changes", {"since": since, "until": until})
    assert page.status_code == 422
    assert "This field is required" not in page.content.decode()
    assert f'value="{since}"' in page.content.decode()


def test_the_page_begins_with_this_month(told: BillingAccount, browser: Client) -> None:
    changes = browser.get("/balance/changes").context["changes"]
    assert (changes.opening.balance, changes.closing.balance) == (35 * CREDIT, 20 * CREDIT)
    assert changes.opening.moment == datetime(2026, 10, 1, tzinfo=UTC)


def test_what_was_available_is_told_with_the_credit_limit_of_then(
    told: BillingAccount, browser: Client
) -> None:
    balances.set_credit_limit(told.pk, 30 * CREDIT)
    text = " ".join(strip_tags(browser.get("/balance/changes").content.decode()).split())
    assert text.count("credit limit 30") == 1
    assert "credit limit 30 credits · 50 credits available" in text


def test_nothing_moved_is_said(told: BillingAccount, browser: Client) -> None:
    page = browser.get("/balance/changes", {"since": "2026-09-02T00:00", "until": "2026-09-03T00:00"})
    assert "Nothing moved" in page.content.decode()
    assert page.context["changes"].closing.moment - page.context["changes"].opening.moment == timedelta(
        days=1, seconds=59, microseconds=999_999
    )


def test_credits_given_meanwhile_do_not_change_what_was(told: BillingAccount, browser: Client) -> None:
    asked = {"since": "2026-08-31T00:00", "until": "2026-09-30T23:59"}
    before = browser.get("/balance/changes", asked).context["changes"]
    grants.add(
        account_id=told.pk,
        micros=CREDIT,
        source="admin",
        kind="adjustment",
        description="x",
        key="adjustment:x",
    )
    after = browser.get("/balance/changes", asked).context["changes"]
    assert (before.opening, before.closing, before.sums) == (after.opening, after.closing, after.sums)
