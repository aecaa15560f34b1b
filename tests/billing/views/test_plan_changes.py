"""Changing the plan and how the account pays, on pages: a preview, one button, and a way out where there is none."""

import re
import uuid
from datetime import UTC, datetime

import pytest
from django.core import mail
from django.test import Client

from accounts.keys import create_key
from accounts.models import BillingAccount, Role
from billing import outbox
from billing.ledger.holds import place
from billing.models import Invoice
from billing.services import invoicing
from config.ids import public_id
from tests.billing.ledger.conftest import at, hold, wanted
from tests.billing.services.plans import account as open_one
from tests.billing.services.plans import has, profiles, running
from tests.billing.views.conftest import SignIn

__all__ = ["profiles"]
pytestmark = pytest.mark.usefixtures("profiles")


@pytest.fixture
def pro() -> BillingAccount:
    return open_one("toon", plan="pro")


@pytest.fixture
def page(pro: BillingAccount, sign_in: SignIn) -> Client:
    return sign_in(pro, Role.OWNER)


def words(response: object) -> str:
    text = re.sub(r"<[^>]+>", " ", response.content.decode())  # type: ignore[attr-defined]
    return " ".join(text.replace("\xa0", " ").replace("&#x27;", "'").split())


def test_the_page_says_what_is_used_and_when_it_renews(pro: BillingAccount, page: Client) -> None:
    hold(pro.pk, 120, settle_now=True)
    said = words(page.get("/plan"))
    assert "120 of 300 credits used 180 credits left Renews on 28 February 2027, 10:00 UTC" in said
    assert "Choose Business" in said
    assert "Change down to Starter" in said


def test_a_lower_plan_is_previewed_confirmed_and_undone(pro: BillingAccount, page: Client) -> None:
    said = words(page.get("/plan/take/starter"))
    assert "Now Pro, $ 39 a month Then Starter, $ 16 a month Takes effect 28 February 2027, 10:00 UTC" in said
    assert "Credits from then 100 credits a month" in said
    assert page.post("/plan/take/starter").status_code == 302
    assert running(pro).next_plan == "starter"
    assert "Starter follows on 28 February 2027." in words(page.get("/plan"))
    assert page.post("/plan/undo").status_code == 302
    assert running(pro).next_plan == ""
    assert "You keep Pro" in words(page.get("/plan"))


def test_what_has_to_be_paid_first_asks_us_instead_of_a_button(
    pro: BillingAccount, page: Client, settings: object
) -> None:
    settings.SUPPORT_EMAIL = "people@acme.example"  # type: ignore[attr-defined]
    response = page.get("/plan/take/business")
    assert "You get now 700 credits Lapses now 300 credits of the old allowance" in words(response)
    assert 'href="mailto:people@acme.example?subject=Plan' in response.content.decode()
    assert "Take Business now" not in words(response)
    refused = page.post("/plan/take/business")
    assert (refused.status_code, running(pro).plan) == (422, "pro")
    assert "Ask us, and we arrange it" in words(refused)


def test_an_upgrade_that_carries_says_how_much(sign_in: SignIn) -> None:
    payer = open_one("sites", plan="basic")
    hold(payer.pk, 500, settle_now=True)
    assert "You get now 4,500 credits Carried along 1,000 credits" in words(
        sign_in(payer, Role.OWNER).get("/plan/take/pro")
    )


def test_too_many_keys_are_named_in_the_preview_and_the_refusal(pro: BillingAccount, page: Client) -> None:
    for number in range(5):
        create_key(account=pro, name=f"<b>Key {number}</b>")
    html = page.get("/plan/take/starter").content.decode()
    assert "Too many API keys." in html
    assert "&lt;b&gt;Key 4&lt;/b&gt;" in html
    assert "<b>Key" not in html
    assert page.post("/plan/take/starter").status_code == 422


def test_a_plan_is_canceled_for_the_period_s_end(pro: BillingAccount, page: Client) -> None:
    assert "Then its unused credits lapse and the account is on Free" in words(page.get("/plan/cancel"))
    page.post("/plan/cancel")
    assert running(pro).cancel_at_end
    assert "The plan ends on 28 February 2027" in words(page.get("/plan"))


def test_pay_per_use_is_switched_on_under_a_limit_and_off_again(pro: BillingAccount, page: Client) -> None:
    said = words(page.get("/plan/pay/metered"))
    assert "Set aside 300 credits" in said
    assert page.post("/plan/pay/metered", {"limit": "25"}).status_code == 302
    pro.refresh_from_db()
    assert (pro.mode, has(pro)) == ("metered", 25)
    assert "Back from before 300 credits Plan Pro" in words(page.get("/plan/pay/subscription"))
    page.post("/plan/pay/subscription")
    pro.refresh_from_db()
    assert (pro.mode, pro.plan, has(pro)) == ("subscription", "pro", 300)


@pytest.mark.parametrize("limit", ["x", "-5", "99999"])
def test_a_limit_that_does_not_fit_is_said_and_kept(pro: BillingAccount, page: Client, limit: str) -> None:
    response = page.post("/plan/pay/metered", {"limit": limit})
    pro.refresh_from_db()
    assert (response.status_code, pro.mode) == (422, "subscription")
    assert f'value="{limit}"' in response.content.decode()


def test_work_under_way_is_said_before_and_after(pro: BillingAccount, page: Client) -> None:
    hold(pro.pk, 3)
    asked = page.get("/plan/pay/metered")
    assert "1 request is still running" in words(asked)
    assert '"/transactions#held"' in asked.content.decode()
    assert page.post("/plan/pay/metered", {"limit": "25"}).status_code == 422


def test_sent_twice_it_is_done_once(pro: BillingAccount, page: Client) -> None:
    once = public_id("evt", uuid.uuid4())
    for _ in range(2):
        assert page.post("/plan/pay/metered", {"limit": "25", "once": once}).status_code == 302
    assert pro.mode_changes.count() == 1


def test_in_a_dialog_it_answers_with_the_dialog_and_then_the_page(page: Client) -> None:
    htmx = {"HX-Request": "true"}
    assert "<dialog" in page.get("/plan/take/starter", headers=htmx).content.decode()
    assert page.post("/plan/take/starter", headers=htmx)["HX-Redirect"] == "/plan"


@pytest.mark.parametrize("path", ["/plan/take/starter", "/plan/cancel", "/plan/undo", "/plan/pay/metered"])
def test_only_who_manages_billing_changes_anything(pro: BillingAccount, sign_in: SignIn, path: str) -> None:
    viewer = sign_in(pro, Role.DEVELOPER)
    assert viewer.post(path, {"limit": "5"}).status_code == 403
    pro.refresh_from_db()
    assert (pro.mode, running(pro).next_plan, running(pro).cancel_at_end) == ("subscription", "", False)
    html = viewer.get("/plan").content.decode()
    assert "/plan/take/" not in html


@pytest.mark.parametrize("path", ["/plan/take/gone", "/plan/pay/prepaid", "/plan/pay/x"])
def test_what_there_is_not_is_not_found(page: Client, path: str) -> None:
    assert page.get(path).status_code == 404


class TestInvoices:
    """The invoices of an account, and nobody else's."""

    @pytest.fixture
    def payer(self) -> BillingAccount:
        at(datetime(2027, 2, 10, tzinfo=UTC))
        payer = open_one("toon", mode="metered")
        BillingAccount.objects.filter(pk=payer.pk).update(name="<b>Müller & Söhne</b>")
        request = wanted(
            payer.pk, 0, settle_now=True, model="z-image-turbo", description="Z-Image <i>Turbo</i>"
        )
        request.amount = 72_000
        place([request])
        at(datetime(2027, 3, 1, tzinfo=UTC))
        invoicing.close_due()
        return payer

    def test_listed_shown_and_as_a_file(self, payer: BillingAccount, sign_in: SignIn) -> None:
        browser, bill = sign_in(payer, Role.VIEWER), Invoice.objects.get()
        assert "INV-000001 10 Feb – 28 Feb 2027 Open 15 Mar 2027 $ 0 .07 PDF" in words(
            browser.get("/invoices")
        )
        html = browser.get(f"/invoices/{bill.public_id}").content.decode()
        assert "Z-Image &lt;i&gt;Turbo&lt;/i&gt;" in html
        assert "0.072" in re.sub(r"<[^>]+>", "", html)
        file = browser.get(f"/invoices/{bill.public_id}/pdf")
        assert (file["Content-Type"], file.content[:5]) == ("application/pdf", b"%PDF-")
        assert file["Content-Disposition"] == 'attachment; filename="INV-000001.pdf"'

    def test_overdue_is_said_where_money_is(self, payer: BillingAccount, sign_in: SignIn) -> None:
        browser = sign_in(payer, Role.OWNER)
        at(datetime(2027, 3, 15, tzinfo=UTC))
        assert "INV-000001 is overdue." in words(browser.get("/invoices"))
        assert "INV-000001 is overdue." in words(browser.get("/"))
        assert "was due on 15 March 2027" in words(browser.get("/plan"))

    def test_somebody_else_s_does_not_exist(self, payer: BillingAccount, page: Client) -> None:
        bill = Invoice.objects.get()
        for path in (f"/invoices/{bill.public_id}", f"/invoices/{bill.public_id}/pdf", "/invoices/x"):
            assert page.get(path).status_code == 404
        assert "INV-000001" not in words(page.get("/invoices"))

    def test_a_mail_says_what_is_to_be_paid(self, payer: BillingAccount) -> None:
        outbox.relay()
        letter = next(letter for letter in mail.outbox if "Invoice" in letter.subject)
        assert letter.subject == "Invoice INV-000001: $0.07 for <b>Müller & Söhne</b>"
        assert "10 February 2027 to 28 February 2027" in letter.body
        assert isinstance(letter, mail.EmailMultiAlternatives)
        assert "&lt;b&gt;Müller" in str(letter.alternatives[0][0])

    def test_without_any_it_says_why(self, page: Client) -> None:
        assert "Invoices are for accounts that pay after the work is done." in words(page.get("/invoices"))
