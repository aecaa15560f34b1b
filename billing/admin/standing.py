"""What staff decide about an account: its plan, how it pays, how far it may owe. Always with a reason."""

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextInputWidget

from accounts.models import BillingAccount, User
from billing.admin.deciding import Decision, ReasonForm, page
from billing.errors import InvalidRequest
from billing.ledger.models import Balance
from billing.selectors import plans, subscriptions
from billing.services import credit_limits, modes, plan_changes
from billing.services.modes import Asked
from catalog import snapshot
from catalog.pricing.errors import InvalidAmount
from catalog.pricing.units import micros_to_text, parse_micros


class ChoiceForm(ReasonForm):
    """One of several, and why."""

    choice = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    field_order = ("choice", "reason", "nonce")

    def __init__(self, data: Any = None, *, label: str, choices: Sequence[tuple[str, str]]) -> None:
        super().__init__(data)
        field = self.fields["choice"]
        assert isinstance(field, forms.ChoiceField)
        field.label, field.choices = label, list(choices)


class CreditLimitForm(ReasonForm):
    """A limit and how long it holds; empty hands it back to the rule."""

    limit = forms.CharField(
        widget=UnfoldAdminTextInputWidget,
        required=False,
        max_length=20,
        help_text="In the account's unit. Empty: the profile's rule decides again.",
    )
    expires_at = forms.SplitDateTimeField(
        widget=UnfoldAdminSplitDateTimeWidget,
        required=False,
        help_text="Until then (UTC); empty: until changed.",
    )
    field_order = ("limit", "expires_at", "reason", "nonce")

    def clean_limit(self) -> int | None:
        text = self.cleaned_data["limit"].strip()
        try:
            return parse_micros(text) if text else None
        except InvalidAmount as error:
            raise forms.ValidationError(str(error)) from error


class StandingActions:
    """The actions, for the admin of balances: one row per account."""

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("ledger.add_transaction")

    def _ask(
        self,
        request: HttpRequest,
        account: BillingAccount,
        title: str,
        intro: str,
        button: str,
        form: ReasonForm,
        decide: Callable[[dict[str, Any], User], str],
    ) -> HttpResponse:
        back = reverse("admin:ledger_balance_change", args=[account.pk])
        decision = Decision(title=title, intro=intro, button=button, back=back, form=form, decide=decide)
        return page(request, self, decision)

    @action(description="Change plan", url_path="plan", permissions=["decide"])  # type: ignore[untyped-decorator]
    def change_plan(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Upwards at once with its credits, downwards at the period's end. Staff answer for what it costs."""
        account = _account(object_id)
        terms = snapshot.current().terms(account.profile)
        running = subscriptions.of(account)
        offered = [
            (plan.slug, f"{plan.name}, {micros_to_text(plan.price)} {terms.cash_currency} a month")
            for plan in terms.plans
        ]

        def decide(asked: dict[str, Any], staff: User) -> str:
            return _plan_decided(account, asked, staff)

        said = (
            f"{running.subscription.plan} until {running.ends_at:%Y-%m-%d %H:%M} UTC"
            if running
            else "no plan"
        )
        choices = [*offered, ("-", "Give the plan up at the period's end")]
        form = ChoiceForm(request.POST or None, label="Plan", choices=choices)
        intro = (
            f"{account.name} has {said}. A higher plan begins at once and gives its credits; a lower one "
            f"follows at the end of the period. Nothing is charged here: its price has to be arranged."
        )
        return self._ask(request, account, f"Plan of {account.name}", intro, "Change plan", form, decide)

    @action(description="Change how it pays", url_path="mode", permissions=["decide"])  # type: ignore[untyped-decorator]
    def change_mode(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Another mode of the profile; refused while work is held in another unit."""
        account = _account(object_id)
        terms = snapshot.current().terms(account.profile)
        choices = [(mode, plans.MODES[mode][0]) for mode in terms.modes if mode != account.mode]

        def decide(asked: dict[str, Any], staff: User) -> str:
            modes.switch(
                account.pk,
                Asked(
                    mode=asked["choice"], by=staff, reason=asked["reason"], arranged=True, id=asked["nonce"]
                ),
            )
            return f"The account pays by {asked['choice']} now."

        form = ChoiceForm(request.POST or None, label="Mode", choices=choices)
        intro = (
            f"{account.name} pays by {account.mode} and is counted in {account.unit}. Open holds are settled "
            f"at their own price. What was used on credit so far is invoiced."
        )
        return self._ask(request, account, f"How {account.name} pays", intro, "Change", form, decide)

    @action(description="Credit limit", url_path="credit-limit", permissions=["decide"])  # type: ignore[untyped-decorator]
    def decide_credit_limit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Override the rule's limit with a reason, for a time or until it is released."""
        account = _account(object_id)
        past = credit_limits.history(account)
        by_rule = credit_limits.by_rule(snapshot.current().terms(account.profile), past)

        def decide(asked: dict[str, Any], staff: User) -> str:
            if asked["limit"] is None:
                if asked["expires_at"]:
                    raise InvalidRequest("Without a limit there is nothing that could end.")
                credit_limits.release(account.pk, reason=asked["reason"], by=staff)
                return "The rule decides the limit again."
            credit_limits.set_override(
                account.pk,
                limit=asked["limit"],
                reason=asked["reason"],
                by=staff,
                expires_at=asked["expires_at"],
            )
            return f"The limit is {micros_to_text(asked['limit'])} {account.unit}."

        form = CreditLimitForm(request.POST or None)
        intro = (
            f"By the rule: {micros_to_text(by_rule)} {account.unit} ({past.paid_invoices} invoices paid, "
            f"{past.age_days} days old, {micros_to_text(past.paid_volume)} paid in all, "
            f"{past.overdue_invoices} overdue). In force: {micros_to_text(credit_limits.limit_of(account))}."
        )
        return self._ask(request, account, f"Credit limit of {account.name}", intro, "Decide", form, decide)


def _plan_decided(account: BillingAccount, asked: dict[str, Any], staff: User) -> str:
    """Carry out a chosen plan, or the end of it; says what happened. Raises Refusal."""
    if asked["choice"] == "-":
        ended = plan_changes.cancel(account.pk, by=staff, reason=asked["reason"])
        return f"The plan ends on {ended.period_ends_at:%Y-%m-%d}."
    taken = plan_changes.change(
        account.pk,
        asked["choice"],
        by=staff,
        reason=asked["reason"],
        arranged=True,
        event_id=asked["nonce"],
    )
    if taken.next_plan:
        return f"{taken.next_plan} follows on {taken.period_ends_at:%Y-%m-%d}."
    return f"The account is on {taken.plan} now, until {taken.period_ends_at:%Y-%m-%d}."


def _account(object_id: str) -> BillingAccount:
    return get_object_or_404(Balance.objects.select_related("account"), pk=object_id).account
