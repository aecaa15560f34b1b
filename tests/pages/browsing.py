"""A real browser for tests of pages: the system's Chromium, signed in by a session cookie."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from playwright.sync_api import Browser, BrowserContext, ViewportSize, sync_playwright

from accounts.models import User
from config.embedded import browsers

OPTIONS = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run")
WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}


@contextmanager
def open_browser(executable: str | None = None) -> Iterator[Browser]:
    """The browser. Close it before the test touches the database again: it runs an event loop here."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable or browsers.find(), args=list(OPTIONS)
        )
        yield browser
        browser.close()


def session_of(user: User) -> str:
    """The session key of a fresh sign-in."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    key = session.session_key
    if key is None:
        raise RuntimeError("the session was not saved")
    return key


def context_for(browser: Browser, url: str, session: str | None, *, theme: str = "light") -> BrowserContext:
    """A wide browser window in these colours, signed in where a session is given."""
    context = browser.new_context(
        viewport=WIDE,
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
    )
    if session:
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": url}])
    return context
