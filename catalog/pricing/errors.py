"""Why pricing refuses. Callers map these names to HTTP statuses; nothing here knows HTTP."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catalog.pricing.types import Quote


class PricingError(Exception):
    """Base of every refusal of the pricing engine; ``str(error)`` is a sentence for the caller."""


class UnitMismatch(PricingError):
    """Two amounts of different units met in one sum or comparison."""

    def __init__(self, left: str, right: str) -> None:
        super().__init__(f"{left} and {right} are different units and cannot be combined.")
        self.left = left
        self.right = right


class InvalidAmount(PricingError):
    """A text or number that is not an exact amount in whole micro-units."""


class NotOffered(PricingError):
    """Nothing in the price book prices this request. It is refused, never free."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class UnknownModel(NotOffered):
    """The price book has no such model."""


class UnknownOperation(NotOffered):
    """The price book has no such operation for any model."""


class InvalidParameter(PricingError):
    """Parameters or outputs that are unknown, of the wrong type, out of bounds or missing.

    ``problems``: each as (field, message), the first of them the one that stands for all.
    """

    def __init__(self, field: str, message: str, *more: tuple[str, str]) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message
        self.problems = ((field, message), *more)


class ConfirmationRequired(PricingError):
    """The request is expensive enough that the customer must say yes to this quote first."""

    def __init__(self, quote: "Quote") -> None:
        super().__init__("This costs more than usual and needs the customer's confirmation first.")
        self.quote = quote


class InvalidBook(PricingError):
    """A price book that cannot be compiled; ``problems`` names each fault and where it is."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems
