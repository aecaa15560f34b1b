"""What accounts forgets of a person, and of an account that nobody else was in.

The rows stay, nameless, for what others refer to: who approved an adjustment, whose transactions these are.
"""

import re
from collections.abc import Iterable

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.contrib.auth import SESSION_KEY
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db.models import F, Func, Model, Q, Value
from django.utils.timezone import now

from accounts.models import ApiKey, BillingAccount, Invitation, Membership, NoticeChoice, User

DOMAIN = "erased.invalid"
"""Of the addresses that take an erased one's place; nothing is ever sent there (RFC 2606)."""
GONE = "[erased]"


def is_erased(address: str) -> bool:
    """Whether the address stands where somebody's was."""
    return address.endswith(f"@{DOMAIN}")


def addresses_of(user: User) -> set[str]:
    """Every e-mail address known of the person, in lower case."""
    known = EmailAddress.objects.filter(user=user).values_list("email", flat=True)
    return {address.lower() for address in (user.email, *known)}


def without(field: str, words: Iterable[str]) -> Func:
    """The text of a column with these words taken out, whatever their case; those of one or two letters are no names."""
    return Func(F(field), Value(_pattern(words)), Value(GONE), Value("gi"), function="regexp_replace")


def text_without(text: str, words: Iterable[str]) -> str:
    """The same of a text that no column has yet."""
    return re.sub(_pattern(words), GONE, text, flags=re.IGNORECASE)


def _pattern(words: Iterable[str]) -> str:
    longest_first = sorted({word for word in words if len(word) > 2}, key=len, reverse=True)
    return "|".join(re.escape(word) for word in longest_first) or r"(?!)"


def forget_person(user: User) -> None:
    """The person's own data goes; what is left is a number that cannot sign in."""
    addresses = addresses_of(user)
    _end_sessions(user)
    Authenticator.objects.filter(user=user).delete()
    EmailAddress.objects.filter(user=user).delete()
    for address in addresses:
        Invitation.objects.filter(email__iexact=address).delete()
    Membership.objects.filter(user=user).delete()
    BillingAccount.objects.filter(opened_for=user).update(opened_for=None)
    _forget_in_admin_log([user], addresses)
    user.groups.clear()
    user.user_permissions.clear()
    user.email, user.name, user.company = f"user-{user.pk}@{DOMAIN}", "", ""
    user.timezone, user.locale, user.last_login = "UTC", "en", None
    user.is_active = user.is_superuser = False
    user.set_unusable_password()
    user.save()


def forget_account(account: BillingAccount) -> None:
    """The account's name and address go, and what else in it people have named."""
    keys = ApiKey.objects.filter(account=account)
    _forget_in_admin_log([account, *keys], {account.email})
    keys.update(name=GONE)
    Invitation.objects.filter(account=account).delete()
    NoticeChoice.objects.filter(account=account).delete()
    account.name, account.email = "Erased account", f"account-{account.pk.hex}@{DOMAIN}"
    account.opened_for, account.stripe_customer_id = None, None
    account.save(update_fields=["name", "email", "opened_for", "stripe_customer_id"])


def hand_on(account: BillingAccount, user: User) -> None:
    """An account that others stay in is written to at an owner's address, where it was at this person's."""
    if account.email.lower() not in addresses_of(user):
        return
    owners = account.memberships.filter(role="owner").exclude(user=user).order_by("pk")
    account.email = owners.values_list("user__email", flat=True)[0]
    account.save(update_fields=["email"])


def _end_sessions(user: User) -> None:
    """Every session goes: those allauth lists with address and browser, and those it does not know of."""
    mine = UserSession.objects.filter(user=user)
    keys = set(mine.values_list("session_key", flat=True))
    for session in Session.objects.filter(expire_date__gt=now()).iterator(chunk_size=2000):
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            keys.add(session.session_key)
    Session.objects.filter(session_key__in=keys).delete()
    mine.delete()


def _forget_in_admin_log(rows: Iterable[Model], addresses: Iterable[str]) -> None:
    """The admin's log names objects by what they were called."""
    for row in rows:
        kind = ContentType.objects.get_for_model(row)
        LogEntry.objects.filter(content_type=kind, object_id=str(row.pk)).update(object_repr=GONE)
    for address in addresses:
        named = Q(object_repr__icontains=address) | Q(change_message__icontains=address)
        LogEntry.objects.filter(named).update(
            object_repr=without("object_repr", [address]), change_message=without("change_message", [address])
        )
