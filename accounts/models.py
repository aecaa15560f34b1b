"""Who uses the portal and who owes: users, billing accounts, memberships, invitations, API keys."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import pgtrigger
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils.timezone import now

from config.ids import new_id, public_id

EMAIL_LENGTH = 254


def tells_web(name: str, operation: pgtrigger.Operation) -> pgtrigger.Trigger:
    """A trigger that sends the row's id (32 hex digits) on channel ``portal_keys``.

    The web processes keep keys and accounts in memory and drop the named one when they hear it.
    """
    return pgtrigger.Trigger(
        name=name,
        when=pgtrigger.After,
        operation=operation,
        func="PERFORM pg_notify('portal_keys', replace(OLD.id::text, '-', '')); RETURN NULL;",
    )


class UserManager(BaseUserManager["User"]):
    """Creates users by e-mail address; there is no user name."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in. The e-mail address is the login, unique whatever its case."""

    email = models.EmailField(max_length=EMAIL_LENGTH)
    name = models.CharField(max_length=120, blank=True)
    company = models.CharField(max_length=120, blank=True)
    timezone = models.CharField(max_length=64, default="UTC")
    locale = models.CharField(max_length=16, default="en")
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(default=now)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_unique")]

    def __str__(self) -> str:
        return self.email


class BillingAccount(models.Model):
    """Who owes and owns: the party a balance, plan and limits belong to.

    ``profile`` and ``plan`` are slugs of the catalog, ``unit`` is what the account is counted in
    (a currency code or ``credit``).
    """

    class Mode(models.TextChoices):
        PREPAID = "prepaid"
        SUBSCRIPTION = "subscription"
        METERED = "metered"
        POSTPAID = "postpaid"

    class Status(models.TextChoices):
        ACTIVE = "active"
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=120)
    email = models.EmailField(max_length=EMAIL_LENGTH)
    profile = models.SlugField(max_length=50)
    plan = models.SlugField(max_length=50, blank=True)
    mode = models.CharField(max_length=16, choices=Mode.choices, default=Mode.PREPAID)
    unit = models.CharField(max_length=8)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ACTIVE)
    stripe_customer_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    opened_for = models.OneToOneField(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="own_account"
    )
    members = models.ManyToManyField(User, through="Membership", related_name="billing_accounts")
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        triggers: ClassVar[list[pgtrigger.Trigger]] = [
            tells_web("tell_account", pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return public_id("acct", self.id)


class Role(models.TextChoices):
    OWNER = "owner"
    BILLING = "billing"
    DEVELOPER = "developer"
    VIEWER = "viewer"


class Membership(models.Model):
    """What one user may do in one billing account."""

    account = models.ForeignKey(BillingAccount, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} · {self.role}"


class NoticeTopic(models.TextChoices):
    """What people can be told by e-mail, each for itself."""

    LIMITS = "limits", "Spending limits"
    BALANCE = "balance", "Low balance"
    EXPIRY = "expiry", "Credits about to expire"


class NoticeChoice(models.Model):
    """Whether a member wants an account's notices on a topic; without a row their role says so.

    ``membership`` null is the account's own billing address.
    """

    account = models.ForeignKey(BillingAccount, on_delete=models.CASCADE, related_name="notice_choices")
    membership = models.ForeignKey(
        Membership, null=True, blank=True, on_delete=models.CASCADE, related_name="notice_choices"
    )
    topic = models.CharField(max_length=8, choices=NoticeTopic.choices)
    wanted = models.BooleanField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "membership", "topic"], nulls_distinct=False, name="noticechoice_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.membership or 'billing address'} · {self.topic} · {'on' if self.wanted else 'off'}"


class Invitation(models.Model):
    """An e-mail address asked to join a billing account; the link's token is stored hashed."""

    account = models.ForeignKey(BillingAccount, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(max_length=EMAIL_LENGTH)
    role = models.CharField(max_length=10, choices=Role.choices)
    token_digest = models.BinaryField(max_length=32, unique=True, editable=False)
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "account",
                Lower("email"),
                condition=models.Q(accepted_at=None),
                name="invitation_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} · {self.role}"

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= now()


class ApiKey(models.Model):
    """A customer's key (``bpk_``) or the generation service's (``bps_``); only its hash is stored."""

    class Kind(models.TextChoices):
        CUSTOMER = "customer"
        SERVICE = "service"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    account = models.ForeignKey(
        BillingAccount, null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys"
    )
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, editable=False)
    last4 = models.CharField(max_length=4, editable=False)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    replaces = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="replaced_by"
    )

    limited_as = models.UUIDField(null=True, blank=True, editable=False)
    """The first key of the rotation this one came out of, under whose id limits count for all of them; null: itself."""

    class Meta:
        triggers: ClassVar[list[pgtrigger.Trigger]] = [
            tells_web("tell_key", pgtrigger.UpdateOf("revoked_at", "expires_at") | pgtrigger.Delete)
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="customer", account__isnull=False)
                | models.Q(kind="service", account__isnull=True),
                name="apikey_account_fits_kind",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…{self.last4})"

    @property
    def public_id(self) -> str:
        return public_id("key", self.id)

    @property
    def limit_id(self) -> UUID:
        """Under which id its limits are counted: a key and those that replaced it spend one budget."""
        return self.limited_as or self.id

    def usable_at(self, moment: datetime) -> bool:
        """Whether the key opens anything at this moment."""
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)
