"""Profile ``ads``: two products, in credits of 0.10 USD."""

from functools import partial

from tests.acceptance.figures import Figure

_static = partial(Figure, profile="ads", model="static", price="5", shown="5 credits $0.50")
_full = partial(Figure, profile="ads", model="full", price="15", shown="15 credits $1.50")

FIGURES = [
    _static(cost="5"),
    _static(parameters={"count": 10}, cost="50"),
    _static(parameters={"count": 37}, cost="185"),
    _full(cost="15"),
    _full(parameters={"count": 3}, cost="45"),
    _full(parameters={"count": 500}, cost="7500"),
]
