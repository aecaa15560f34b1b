"""Which billing account a signed-in person is looking at. The choice lives in the session."""

from uuid import UUID

from django.http import Http404, HttpRequest

from accounts.models import BillingAccount, Membership, User
from accounts.signals import account_needed

SESSION_KEY = "billing_account"


def memberships(request: HttpRequest) -> list[Membership]:
    """The person's memberships of open accounts, oldest first; read once per request. Empty for strangers."""
    known: list[Membership] | None = getattr(request, "_memberships", None)
    if known is None:
        user = getattr(request, "user", None)
        known = _read(user) if isinstance(user, User) else []
        request._memberships = known  # type: ignore[attr-defined]
    return known


def current_membership(request: HttpRequest) -> Membership | None:
    """The membership of the account chosen in the session, else of the oldest one, else None."""
    mine = memberships(request)
    chosen = request.session.get(SESSION_KEY) if mine else None
    return next((member for member in mine if member.account_id.hex == chosen), mine[0] if mine else None)


def membership_for_page(request: HttpRequest) -> Membership | None:
    """The membership in view; who has none is first offered one (``account_needed``)."""
    if not memberships(request) and isinstance(request.user, User):
        account_needed.send(sender=User, user=request.user)
        forget_memberships(request)
    return current_membership(request)


def current_account(request: HttpRequest) -> BillingAccount:
    """The account in view. Raises Http404 for somebody who is a member of none."""
    membership = current_membership(request)
    if membership is None:
        raise Http404("No billing account")
    return membership.account


def choose_account(request: HttpRequest, account_id: UUID) -> Membership:
    """Looks at this account from now on. Raises Http404 for an account the person is not a member of."""
    for membership in memberships(request):
        if membership.account_id == account_id:
            request.session[SESSION_KEY] = account_id.hex
            return membership
    raise Http404("No such billing account")


def forget_memberships(request: HttpRequest) -> None:
    """Makes the next look read the memberships again, after one was added or removed."""
    if hasattr(request, "_memberships"):
        del request._memberships


def _read(user: User) -> list[Membership]:
    members = Membership.objects.filter(user=user, account__status=BillingAccount.Status.ACTIVE)
    return list(members.select_related("account").order_by("pk"))
