"""The admin's start page in a real browser: axe finds nothing in it and nothing spills over, in every look."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils.timezone import now
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from billing import sample
from billing.ledger import usage_days
from billing.models import OutboxMessage
from config.models import Heartbeat
from tests.billing.views.conftest import work
from tests.pages.browsing import context_for, open_browser, session_of
from tests.pages.test_pages import DRAWN, LOOKS, RULES

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("chromium"),
]


@pytest.mark.parametrize("busy", [True, False], ids=["busy", "empty"])
def test_axe_finds_nothing_and_nothing_spills_over(ads: None, live_server: LiveServer, busy: bool) -> None:
    session = session_of(User.objects.create_superuser("staff@example.com", "x"))
    if busy:
        work(sample.create("sample-password")[0], 5, settle_now=False)
        usage_days.fold_all()
        Heartbeat.objects.create(name="worker", beat_at=now())
        OutboxMessage.objects.create(kind="email.receipt", key="a", payload={}, parked_at=now())
    with open_browser() as browser:
        page = context_for(browser, live_server.url, session).new_page()
        page.goto(f"{live_server.url}/admin/")
        page.wait_for_load_state("networkidle")
        for theme, size in LOOKS:
            page.emulate_media(color_scheme=theme)
            page.set_viewport_size(size)
            page.evaluate(DRAWN)
            found = Axe().run(page, context=".db", options=RULES)
            assert found.violations_count == 0, found.generate_report()
            spills = page.evaluate(
                "document.querySelector('.db').scrollWidth - document.querySelector('.db').clientWidth"
            )
            assert spills <= 0, (theme, size)
