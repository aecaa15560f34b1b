"""How long pricing takes: ``python -m benchmarks.pricing``. No database, no server.

Targets: a simple item below 20 µs, the pipeline below 100 µs (the best of many short rounds:
what else the machine does only adds to it).
"""

import sys
import timeit

from catalog import loader
from catalog.pricing.engine import PriceBook, effective, estimate
from catalog.pricing.types import Quote

Case = tuple[str, str, str, str, str, dict[str, object], float]
CASES: list[Case] = [
    ("flat per request", "ads", "standard", "static", "generate", {}, 20),
    ("flat, counted", "ads", "standard", "static", "generate", {"count": 10}, 20),
    ("derived per image", "toon", "metered", "seedream-4-5", "generate", {"count": 2}, 20),
    ("with a balance gate", "images", "standard", "sdxl", "generate", {"resolution": "2K"}, 20),
    ("variant per second", "sites", "standard", "veo-3-1", "generate", {"seconds": 8, "queue": "hd"}, 20),
    ("pipeline of five phases", "sites", "standard", "site", "generate", {}, 100),
]
ROUNDS, CALLS = 200, 50


def main() -> int:
    """Print each case's best time beside its target; 1 when a target is missed."""
    books: dict[str, dict[str, PriceBook]] = {}
    missed = 0
    print(f"{'case':<28}{'best':>10}{'target':>10}")
    for name, profile, price_list, model, operation, parameters, target in CASES:
        if profile not in books:
            books[profile] = loader.read(loader.find(profile)).books()
        book = books[profile][price_list]
        took = _best(lambda b=book, m=model, o=operation, p=parameters: _anew(b, m, o, p))
        missed += took > target
        print(f"{name:<28}{took:>7.1f} µs{target:>7.0f} µs")
    took = _best(lambda: estimate(books["toon"]["metered"], "seedream-4-5", "generate", {"count": 2}))
    print(f"{'the same request again':<28}{took:>7.1f} µs")
    report: dict[str, object] = {
        "phases": [{"id": "motion-video", "status": "failed"}, {"id": "html-assembly", "tokens": 9000}]
    }
    took = _best(lambda: effective(books["sites"]["standard"], "site", "generate", {}, report))
    missed += took > 100
    print(f"{'pipeline, delivered':<28}{took:>7.1f} µs{100:>7} µs")
    return 1 if missed else 0


def _anew(book: PriceBook, model: str, operation: str, parameters: dict[str, object]) -> Quote:
    book.item(model, operation).quoted.clear()
    return estimate(book, model, operation, parameters)


def _best(call: object) -> float:
    rounds = timeit.repeat(call, repeat=ROUNDS, number=CALLS)  # type: ignore[arg-type]  # any callable
    return min(rounds) / CALLS * 1_000_000


if __name__ == "__main__":
    sys.exit(main())
