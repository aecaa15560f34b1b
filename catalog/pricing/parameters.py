"""Checking what a request or an output says, against what the price list declares.

Each declared parameter becomes one checking function when the book is built; nothing is looked up by
type on the hot path. Booleans are not numbers, and every number has bounds.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import islice

from catalog.pricing.errors import InvalidParameter
from catalog.pricing.types import Between, Implied, ParameterSpec, Scalar, When
from catalog.pricing.units import decimal_to_text

Check = Callable[[object], Scalar]
Values = dict[str, Scalar]
Test = Callable[[Values], bool]

_PLAIN = frozenset({str, int, bool, Decimal})
_LONGEST_KEY = 200
_MOST_TOLD = 50
# A number as long as this is an attack, not a size; it is refused before it is compared.
_LONGEST_NUMBER = 24


def compile_check(spec: ParameterSpec, *, output: bool) -> Check:
    """The function that returns a parameter's checked value or raises InvalidParameter.

    Outputs may report zero of anything, whatever the least is that one can ask for.
    """
    if spec.type == "choice":
        return _choice(spec)
    if spec.type == "flag":
        return _flag(spec)
    return _number(spec, output=output)


def compile_test(when: When) -> Test:
    """The function that tells whether checked values match every condition of ``when``."""
    tests = [_condition(name, condition) for name, condition in when.items()]
    if len(tests) == 1:
        return tests[0]
    return lambda values: all(test(values) for test in tests)


def _condition(name: str, condition: tuple[Scalar, ...] | Between) -> Test:
    if isinstance(condition, Between):
        low = Decimal("-Infinity") if condition.min is None else condition.min
        high = Decimal("Infinity") if condition.max is None else condition.max

        def between(values: Values) -> bool:
            value = values.get(name)
            return isinstance(value, int | Decimal) and low <= value <= high

        return between
    allowed = frozenset(condition)
    return lambda values: values.get(name) in allowed


def _choice(spec: ParameterSpec) -> Check:
    allowed = frozenset(spec.choices)
    message = f"must be one of {', '.join(spec.choices)}."

    def check(value: object) -> Scalar:
        if type(value) is str and value in allowed:
            return value
        raise InvalidParameter(spec.name, message)

    return check


def _flag(spec: ParameterSpec) -> Check:
    def check(value: object) -> Scalar:
        if value is True or value is False:
            return value
        raise InvalidParameter(spec.name, "must be true or false.")

    return check


def _number(spec: ParameterSpec, *, output: bool) -> Check:
    low = Decimal(0) if output or spec.min is None else spec.min
    high = spec.max if spec.max is not None else Decimal(10**12)
    kind = "a whole number" if spec.type == "integer" else "a number"
    message = f"must be {kind} from {decimal_to_text(low)} to {decimal_to_text(high)}."
    whole = spec.type == "integer"

    def check(value: object) -> Scalar:
        number = _exact(value)
        if number is None or not low <= number <= high:
            raise InvalidParameter(spec.name, message)
        if whole:
            if number != int(number):
                raise InvalidParameter(spec.name, message)
            return int(number)
        return number

    return check


def _exact(value: object) -> int | Decimal | None:
    """A JSON number exactly as it was written, or None for anything else (true, "2", NaN, 1e999)."""
    if type(value) is int:
        return value
    if type(value) is float:  # a JSON number some parser made binary: its shortest text is what was sent
        value = Decimal(repr(value))
    if type(value) is not Decimal or not value.is_finite():
        return None
    _, digits, exponent = value.as_tuple()
    if len(digits) > _LONGEST_NUMBER or not isinstance(exponent, int) or not -12 <= exponent <= 12:
        return None
    return value


def _refusal(problems: Iterator[tuple[str, str]]) -> InvalidParameter:
    first, *more = islice(problems, _MOST_TOLD)
    return InvalidParameter(*first, *more)


def request_key(given: Mapping[str, object]) -> str | None:
    """The same text for the same request, as it was written: true is not 1, and 1.0 is not 1.

    None where something is not plain or too long to be asked for often.
    """
    if not given:
        return ""
    if not _PLAIN.issuperset(map(type, given.values())):
        return None
    key = repr(given)
    return key if len(key) <= _LONGEST_KEY else None


class Parameters:
    """What one item accepts: checks for requests and outputs, defaults, and values implied by others."""

    __slots__ = ("_checks", "_implied", "_label", "_output_checks", "defaults", "specs")

    def __init__(self, label: str, specs: tuple[ParameterSpec, ...]) -> None:
        self.specs = {spec.name: spec for spec in specs}
        self._label = label
        self._checks = {spec.name: compile_check(spec, output=False) for spec in specs}
        self._output_checks = {spec.name: compile_check(spec, output=True) for spec in specs}
        self._implied: tuple[tuple[str, Implied], ...] = tuple(
            (spec.name, spec.implied) for spec in specs if spec.implied is not None
        )
        self.defaults: Values = {spec.name: spec.default for spec in specs if spec.default is not None}

    def of_request(self, given: Mapping[str, object]) -> Values:
        """Checked values with defaults and implied values filled in. Raises InvalidParameter."""
        return self._checked(given, self._checks)

    def of_outputs(self, asked: Mapping[str, object], reported: Mapping[str, object]) -> Values:
        """The same for what was delivered: outputs first, and the request where they say nothing."""
        values = self._checked(asked, self._output_checks)
        if not reported:
            return values
        told = self._checked(reported, self._output_checks, defaults=False)
        merged = {**{name: value for name, value in values.items() if name in asked}, **told}
        return self._filled(merged)

    def asked(self, given: Mapping[str, object], values: Values) -> Values:
        """Of the values what the request said or left to a default; what others imply follows them anew."""
        if not self._implied:
            return values
        implied = {name for name, _ in self._implied if name not in given}
        return {name: value for name, value in values.items() if name not in implied}

    def _checked(
        self, given: Mapping[str, object], checks: dict[str, Check], defaults: bool = True
    ) -> Values:
        try:
            values = {name: checks[name](value) for name, value in given.items()}
        except (KeyError, InvalidParameter):
            raise _refusal(self._problems(given, checks)) from None
        return self._filled(values) if defaults else values

    def _problems(self, given: Mapping[str, object], checks: dict[str, Check]) -> Iterator[tuple[str, str]]:
        """All that is wrong, field by field."""
        for name, value in given.items():
            if name not in checks:
                yield str(name), self._unknown()
                continue
            try:
                checks[name](value)
            except InvalidParameter as error:
                yield name, error.message

    def _filled(self, values: Values) -> Values:
        filled = {**self.defaults, **values}
        for name, implied in self._implied:
            if name not in values:
                by = filled.get(implied.by)
                if isinstance(by, str) and by in implied.values:
                    filled[name] = implied.values[by]
        return filled

    def _unknown(self) -> str:
        if not self.specs:
            return f"is not a parameter of {self._label}; it takes none."
        return f"is not a parameter of {self._label}; it takes {', '.join(sorted(self.specs))}."
