"""All plans of a profile as one form: a column for each, saved whole, with every mistake at its field.

Plans say what a new period starts with. What was granted or charged is in the ledger, and no plan changes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction
from pydantic import ValidationError

from catalog import drafts, snapshot
from catalog.models import Plan, Profile
from catalog.pricing.types import Modifier, Variant
from catalog.pricing.units import micros_to_text
from catalog.terms import PlanEntry
from catalog.versions import latest

NEW: Final = "new"
"""The column in which a plan is added; its slug is typed."""
AMOUNTS: Final = {
    "price": "Price a month",
    "credits": "Credits a month",
    "credits_once": "Credits once",
}
WHOLES: Final = {"key_slots": "API keys", "trial_days": "Days of trial", "rank": "Order (gates open upwards)"}


@dataclass(frozen=True, slots=True)
class Field:
    """One input: its name in the form, what stands in it, and what is wrong with it."""

    name: str
    text: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the form: what it is, how it is typed, and its input for each plan."""

    label: str
    kind: str
    fields: tuple[Field, ...]


@dataclass(slots=True)
class Edited:
    """What a form asks for: the plans, whether each is offered, and the mistakes by field."""

    plans: dict[str, PlanEntry] = field(default_factory=dict)
    active: set[str] = field(default_factory=set)
    errors: dict[str, str] = field(default_factory=dict)


def limits_of(profile: Profile) -> list[str]:
    """The monthly counts prices draw on, and those plans already have."""
    found = {key for plan in profile.plans.all() for key in plan.monthly_limits}
    for entry in _entries(profile):
        if entry.item.monthly_limit:
            found.add(entry.item.monthly_limit)
    return sorted(found)


def opened_by(profile: Profile) -> dict[str, list[str]]:
    """For each plan what it is the lowest one to open."""
    found: dict[str, list[str]] = {}
    for entry in _entries(profile):
        item = entry.item
        if item.requires:
            found.setdefault(item.requires, []).append(item.label)
        parts: tuple[Variant | Modifier, ...] = (*item.rate.variants, *item.rate.modifiers)
        for part in parts:
            if part.requires:
                found.setdefault(part.requires, []).append(f"{item.label}: {part.name}")
    return found


def _entries(profile: Profile) -> list[drafts.Entry]:
    books = [latest(row) for row in profile.price_lists.filter(active=True)]
    return [entry for book in books if book is not None for entry in drafts.entries(book).values()]


def lines(
    profile: Profile, data: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None
) -> list[Line]:
    """The form's rows; ``data`` is what was typed, where it has to be kept."""
    plans = [*profile.plans.order_by("-active", "rank"), None]
    errors = errors or {}

    def line(label: str, kind: str, part: str, stored: Any) -> Line:
        fields = []
        for plan in plans:
            name = f"{plan.slug if plan is not None else NEW}-{part}"
            text = stored(plan) if plan is not None else ""
            if data is not None:
                text = data.get(name, "")
            fields.append(Field(name, text, errors.get(name, "")))
        return Line(label, kind, tuple(fields))

    return [
        line("Name", "text", "name", lambda plan: plan.name),
        *(
            line(text, "number", name, lambda p, n=name: micros_to_text(getattr(p, n)))
            for name, text in AMOUNTS.items()
        ),
        *(
            line(text, "number", name, lambda p, n=name: _whole(getattr(p, n)))
            for name, text in WHOLES.items()
        ),
        *(
            line(f"{key} a month", "number", f"limit:{key}", lambda p, k=key: _whole(p.monthly_limits.get(k)))
            for key in limits_of(profile)
        ),
        line("Features, one on each line", "lines", "features", lambda plan: "\n".join(plan.features)),
        line("Figures are examples", "switch", "example", lambda plan: "on" if plan.example else ""),
        line("Offered", "switch", "active", lambda plan: "on" if plan.active else ""),
    ]


def read(profile: Profile, data: Mapping[str, str]) -> Edited:
    """The plans a filled-in form asks for."""
    edited = Edited()
    slugs = list(profile.plans.values_list("slug", flat=True))
    for column in (*slugs, NEW):
        _read_plan(column, data, edited, limits_of(profile), slugs)
    _check_together(profile, edited)
    return edited


def _read_plan(
    column: str, data: Mapping[str, str], edited: Edited, limits: list[str], known: list[str]
) -> None:
    def typed(part: str) -> str:
        return data.get(f"{column}-{part}", "").strip()

    slug = typed("slug") if column == NEW else column
    if column == NEW and not slug and not typed("name"):
        return
    if column == NEW and slug in known:
        edited.errors[f"{NEW}-slug"] = "there is a plan of this name already."
        return
    document: dict[str, Any] = {
        "slug": slug,
        "name": typed("name"),
        **{name: typed(name) or "0" for name in AMOUNTS},
        "monthly_limits": {key: _number(typed(f"limit:{key}")) for key in limits if typed(f"limit:{key}")},
        "features": [text.strip() for text in typed("features").splitlines() if text.strip()],
        "example": typed("example") == "on",
        "rank": _number(typed("rank")) if typed("rank") else 0,
        "trial_days": _number(typed("trial_days")) if typed("trial_days") else 0,
        "key_slots": _number(typed("key_slots")) if typed("key_slots") else None,
    }
    try:
        edited.plans[slug] = PlanEntry.model_validate(document)
    except ValidationError as error:
        for fault in error.errors():
            where = str(fault["loc"][0])
            if where == "monthly_limits" and len(fault["loc"]) > 1:
                where = f"limit:{fault['loc'][1]}"
            edited.errors.setdefault(f"{column}-{where}", _reason(fault["msg"], where))
    if typed("active") == "on":
        edited.active.add(slug)


def _check_together(profile: Profile, edited: Edited) -> None:
    ranks: dict[int, str] = {}
    for slug, plan in edited.plans.items():
        if slug in edited.active and plan.rank in ranks:
            column = slug if profile.plans.filter(slug=slug).exists() else NEW
            edited.errors[f"{column}-rank"] = f"{edited.plans[ranks[plan.rank]].name} has this place already."
        elif slug in edited.active:
            ranks[plan.rank] = slug
    default = profile.settings.get("default_plan", "")
    if default and default not in edited.active:
        edited.errors[f"{default}-active"] = "new accounts start on it; choose another default plan first."


def store(profile: Profile, edited: Edited) -> int:
    """Make the plans these; returns how many changed. What was granted and charged stays."""
    changed = 0
    with transaction.atomic():
        Profile.objects.select_for_update().get(pk=profile.pk)
        before = {plan.slug: plan for plan in profile.plans.all()}
        profile.plans.update(active=False)  # ranks are unique among the active ones, and may change places
        for slug, plan in edited.plans.items():
            values = plan.model_dump(exclude={"slug"})
            values["features"], values["monthly_limits"] = list(plan.features), dict(plan.monthly_limits)
            values["active"] = slug in edited.active
            Plan.objects.update_or_create(profile=profile, slug=slug, defaults=values)
            old = before.get(slug)
            changed += old is None or any(getattr(old, name) != value for name, value in values.items())
        transaction.on_commit(snapshot.expire)
    return changed


def _number(text: str) -> Any:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else text


def _whole(value: int | None) -> str:
    return "" if value is None else str(value)


def _reason(message: str, where: str) -> str:
    text = message.removeprefix("Value error, ").rstrip(".")
    return (
        "must be lower-case letters, digits and hyphens."
        if where == "slug"
        else f"{text[0].lower()}{text[1:]}."
    )
