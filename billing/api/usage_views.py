"""What was used in a period, summed up: the Usage page's figures as JSON."""

import re
from datetime import date, timedelta
from typing import Annotated, Literal

from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now
from ninja import Query, Router
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from billing.api import usage_answers
from billing.api.errors_of import errors
from billing.api.http import ok
from billing.api.schemas import Line
from billing.api.security import CustomerAuth, caller
from billing.errors import InvalidRequest
from billing.selectors import api as selectors
from billing.selectors import usage as read
from billing.selectors.usage import Only

router = Router(auth=CustomerAuth(), tags=["Account"])

USUAL_DAYS = 30
LONGEST = 366


def _day(value: object) -> object:
    """A day as RFC 3339 writes it; numbers, which pydantic takes for seconds since 1970, are none."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value, re.ASCII) is None:
        raise ValueError("must be a day such as 2026-05-01")
    return value


Day = Annotated[date, BeforeValidator(_day)]


class UsageSummaryQuery(BaseModel):
    """Days of UTC: ``from`` is included, ``to`` is not; without them the last 30 days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    group: Literal["model", "operation", "key", "day"] = "model"
    model: Annotated[Line, Field(max_length=80)] = ""
    operation: Annotated[Line, Field(max_length=80)] = ""
    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None


@router.get(
    "/usage/summary", response={200: usage_answers.UsageSummary, **errors()}, summary="Usage summed up"
)
def usage_summary(request: HttpRequest, query: Query[UsageSummaryQuery]) -> HttpResponse:
    """What was charged and refunded for work, by model, operation, key or day, at most a year at a time.

    The figures are those of the transactions up to `as_of`.
    """
    identity = caller(request)
    assert identity.account_id is not None
    since, until = _days(query)
    names = () if query.group == "day" else (query.group,)
    only = Only(model=query.model, operation=query.operation)
    moment = now()
    uses = read.by_day(identity.account_id, since, until, *names, only=only)
    return ok(selectors.usage_summary_body(uses, identity.unit, query.group, since, until, moment))


def _days(query: UsageSummaryQuery) -> tuple[date, date]:
    until = query.to or read.today() + timedelta(days=1)
    earliest = until.toordinal() - USUAL_DAYS
    since = query.from_ or date.fromordinal(max(1, earliest))
    if not 0 < (until - since).days <= LONGEST:
        message = f"must be after from, by {LONGEST} days at most"
        raise InvalidRequest("These are not days of a period.", [{"field": "to", "message": message}])
    return since, until
