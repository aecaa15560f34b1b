"""The account in view, for every page's frame."""

from typing import Any

from django.http import HttpRequest

from accounts.current import current_membership, memberships
from accounts.permissions import PERMISSIONS


def navigation(request: HttpRequest) -> dict[str, Any]:
    """``nav_account``, ``nav_accounts``, ``nav_role`` and ``nav_may``, the set of the role's capabilities."""
    membership = current_membership(request)
    return {
        "nav_account": membership.account if membership else None,
        "nav_accounts": [member.account for member in memberships(request)],
        "nav_role": membership.role if membership else "",
        "nav_may": PERMISSIONS[membership.role] if membership else frozenset(),
    }
