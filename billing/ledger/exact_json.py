"""JSON whose numbers stay exact on the way into the database and out of it: Decimal, never float."""

import json
from decimal import Decimal
from functools import partial
from typing import Any

import orjson


class Decoder(json.JSONDecoder):
    """Reads fractions as Decimal; for JSON fields and ``json.loads(cls=…)``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "parse_float": Decimal})


loads = partial(json.loads, cls=Decoder)


def number(value: object) -> orjson.Fragment:
    """For orjson: a Decimal as the JSON number it is, digit for digit."""
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(format(value, "f"))
    raise TypeError(f"{type(value).__name__} is not JSON")
