"""Who is written to about what: each member chooses for themselves, and their role decides until they do."""

from dataclasses import dataclass

from accounts.models import BillingAccount, Membership, NoticeChoice, NoticeTopic, Role

TOLD_BY_DEFAULT: frozenset[str] = frozenset({Role.OWNER, Role.BILLING})

TOPIC_SAYS: dict[str, str] = {
    NoticeTopic.LIMITS: "At 50, 80 and 100 % of the monthly limit, and when a limit stops a request",
    NoticeTopic.BALANCE: "When the balance is low and when nothing is left, once until it recovers",
    NoticeTopic.EXPIRY: "Some days before credits expire",
}


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody an account's notices can go to. ``membership`` None: the account's billing address."""

    email: str
    membership: Membership | None
    wanted: bool


def readers(account: BillingAccount, topic: str) -> list[Reader]:
    """Everybody who can be written to about a topic, members first, and whether they are."""
    chosen = {
        choice.membership_id: choice.wanted
        for choice in NoticeChoice.objects.filter(account=account, topic=topic)
    }
    members = Membership.objects.filter(account=account, user__is_active=True).select_related("user")
    people = [
        Reader(member.user.email, member, chosen.get(member.pk, member.role in TOLD_BY_DEFAULT))
        for member in members.order_by("pk")
    ]
    if account.email.lower() in {reader.email.lower() for reader in people}:
        return people
    return [*people, Reader(account.email, None, chosen.get(None, False))]


def recipients(account: BillingAccount, topic: str) -> list[str]:
    """The addresses to write to about a topic; the billing address of an account that nobody is a member of."""
    known = readers(account, topic)
    told = [reader.email for reader in known if reader.wanted]
    has_team = any(reader.membership is not None for reader in known)
    return told if told or has_team else [account.email]


def wants(membership: Membership, topic: str) -> bool:
    """Whether this member is written to about the topic."""
    choice = NoticeChoice.objects.filter(membership=membership, topic=topic).first()
    return membership.role in TOLD_BY_DEFAULT if choice is None else choice.wanted


def choose(account: BillingAccount, membership: Membership | None, topic: str, wanted: bool) -> None:
    """Keep what a member, or for None the billing address, is to hear of."""
    NoticeChoice.objects.update_or_create(
        account=account, membership=membership, topic=topic, defaults={"wanted": wanted}
    )
