"""What the API answers about use summed up, as models for its OpenAPI document."""

from typing import Annotated, Literal

from pydantic import Field

from billing.api.answers import Amount, Answer, Moment, Unit


class UsageSum(Answer):
    """``id``: a model, an operation, a key (null: none was given) or a day; ``net`` is charged less refunded."""

    id: str | None
    requests: int
    charged: Amount
    refunded: Amount
    net: Amount


class UsageSummary(Answer):
    """What was used from ``since`` to before ``until``, and its parts: largest first, days in their order."""

    unit: Unit
    group: Literal["model", "operation", "key", "day"]
    since: Annotated[str, Field(json_schema_extra={"format": "date"})]
    until: Annotated[str, Field(json_schema_extra={"format": "date"})]
    as_of: Moment
    requests: int
    charged: Amount
    refunded: Amount
    net: Amount
    data: list[UsageSum]
