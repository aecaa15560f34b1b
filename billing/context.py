"""What every page's frame needs: brand, theme, the ways to go; and the viewer's time zone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from accounts.current import current_membership
from billing.selectors import plans

THEMES = frozenset({"light", "dark"})


@dataclass(frozen=True, slots=True)
class NavItem:
    """One way to go; shown when its page exists, and ``serves`` the profile of the account in view."""

    name: str
    label: str
    icon: str
    serves: Callable[[str], bool] | None = None


NAV: tuple[tuple[str, tuple[NavItem, ...]], ...] = (
    (
        "Account",
        (
            NavItem("overview", "Overview", "squares-2x2"),
            NavItem("transactions", "Transactions", "receipt-percent"),
            NavItem("usage_page", "Usage", "chart-bar"),
            NavItem("statements", "Statements", "document-check"),
            NavItem("invoices", "Invoices", "document-text", serves=plans.pays_later),
            NavItem("pricing", "Pricing", "tag"),
            NavItem("plan", "Plan", "rectangle-stack", serves=plans.has_choice),
        ),
    ),
    (
        "Manage",
        (
            NavItem("auto_recharge", "Auto-recharge", "arrow-path", serves=plans.offers_recharge),
            NavItem("limits", "Limits", "adjustments-horizontal"),
            NavItem("api_keys", "API keys", "key"),
            NavItem("team", "Team", "users"),
            NavItem("settings", "Settings", "cog-6-tooth"),
        ),
    ),
)


def page_frame(request: HttpRequest) -> dict[str, Any]:
    """The frame's values: brand, theme, navigation. The account in view comes from ``accounts.context``."""
    user = getattr(request, "user", None)
    return {
        "brand": settings.BRAND_NAME,
        "theme": request.COOKIES.get("theme") if request.COOKIES.get("theme") in THEMES else "",
        "simulated_payments": settings.STRIPE_SIMULATED,
        "nav": navigation(request) if user is not None and user.is_authenticated else (),
    }


def navigation(request: HttpRequest) -> list[tuple[str, list[dict[str, Any]]]]:
    """Sections and their items, without those whose page does not exist or has nothing for this account."""
    here = request.resolver_match.url_name if request.resolver_match else ""
    membership = current_membership(request)
    profile = membership.account.profile if membership else ""
    sections = []
    for label, items in NAV:
        shown = [
            {"label": item.label, "icon": item.icon, "url": url, "current": _is_here(item.name, here or "")}
            for item in items
            if (url := _url(item.name)) and (item.serves is None or item.serves(profile))
        ]
        if shown:
            sections.append((label, shown))
    return sections


class ViewerMiddleware:
    """Puts the signed-in user's time zone in force for the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = getattr(request, "user", None)
        with timezone.override(_zone(getattr(user, "timezone", ""))):
            return self.get_response(request)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _is_here(name: str, here: str) -> bool:
    return here == name or here.startswith(f"{name}_")


def _url(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""
