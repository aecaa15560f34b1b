"""Reading profile files, comparing them with what is stored, and storing them.

A file is read whole or not at all: every mistake is reported with its line, and nothing is stored until
there is none. Storing publishes a new price book version only where prices changed.
"""

import json
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from catalog.pricing.book import BookInfo, build_book, nearest
from catalog.pricing.engine import PriceBook, estimate
from catalog.pricing.errors import InvalidBook, InvalidParameter, NotOffered
from catalog.pricing.types import PlanTier
from catalog.problems import InvalidProfile, Problem, Problems
from catalog.profile_checks import check
from catalog.profile_faults import validated
from catalog.profile_file import ProfileFile
from catalog.resolve import ListedItem, Resolver
from catalog.toml_lines import line_index, syntax_error_line
from config.ids import new_id

PROFILES_DIR = Path(__file__).parent / "profiles"
SCHEMA = PROFILES_DIR / "schema.json"
_TOO_LARGE = 4_000_000


@dataclass(frozen=True, slots=True)
class LoadedProfile:
    """A file without mistakes: what it says, and the complete items of each of its price lists."""

    name: str
    file: ProfileFile
    lists: dict[str, list[ListedItem]]

    def books(self) -> dict[str, PriceBook]:
        """The price book each list would publish, ready for pricing. Raises InvalidBook."""
        plans = tuple(PlanTier(slug=plan.slug, name=plan.name, rank=plan.rank) for plan in self.file.plan)
        gates = tuple(gate.compiled() for gate in self.file.terms.balance_gates)
        found = {}
        for entry in self.file.price_list:
            info = BookInfo(
                id=new_id(),
                profile=self.file.profile.id,
                price_list=entry.id,
                version=1,
                unit=entry.unit,
                plans=plans,
                balance_tiers=gates,
            )
            found[entry.id] = build_book(info, [listed.item for listed in self.lists[entry.id]])
        return found


def bundled() -> tuple[str, ...]:
    """The names of the profiles that come with the portal."""
    return tuple(sorted(file.stem for file in PROFILES_DIR.glob("*.toml")))


def find(name: str) -> Path:
    """The file behind a bundled profile's name or a path. Raises InvalidProfile when there is none."""
    own = PROFILES_DIR / f"{name}.toml"
    with suppress(ValueError, OSError):  # a name with NUL, or one too long for the file system
        if "/" not in name and not name.endswith(".toml") and own.is_file():
            return own
        if (path := Path(name)).is_file():
            return path
    names = bundled()
    hint = nearest(name, names)
    raise InvalidProfile(
        name,
        [Problem(None, "file", f"there is no such file; bundled profiles are {', '.join(names)}.{hint}")],
    )


def read(path: Path) -> LoadedProfile:
    """The profile a file describes. Raises InvalidProfile with every mistake and its line."""
    try:
        with path.open("rb") as file:
            data = file.read(_TOO_LARGE + 1)
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}."
        raise InvalidProfile(path.name, [Problem(None, "file", reason)]) from error
    return read_bytes(data, path.name)


def read_bytes(data: bytes, name: str) -> LoadedProfile:
    """The profile these bytes of a file describe. Raises InvalidProfile with every mistake and its line."""
    if len(data) > _TOO_LARGE:
        raise InvalidProfile(name, [Problem(None, "file", "is larger than 4 MB.")])
    try:
        return parse(data.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidProfile(name, [Problem(line, "file", "is not UTF-8 text.")]) from error


def parse(text: str, name: str) -> LoadedProfile:
    """The profile a text describes. Raises InvalidProfile with every mistake and its line."""
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError) as error:  # a TOMLDecodeError is a ValueError
        line = syntax_error_line(error) if isinstance(error, tomllib.TOMLDecodeError) else None
        raise InvalidProfile(name, [Problem(line, "syntax", str(error) or type(error).__name__)]) from error
    problems = Problems(line_index(text))
    file = validated(document, problems)
    if file is None:
        raise InvalidProfile(name, problems.found)
    resolver = Resolver(file, problems)
    lists = resolver.lists()
    check(file, resolver, lists, problems)
    loaded = LoadedProfile(name, file, lists)
    if not problems.found:
        _try_out(loaded, problems)
    if problems.found:
        raise InvalidProfile(name, problems.found)
    return loaded


def schema_text() -> str:
    """The JSON Schema of the format, as published in ``profiles/schema.json``."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ProfileFile.model_json_schema(),
        "title": "Billing profile",
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _try_out(loaded: LoadedProfile, problems: Problems) -> None:
    """Build each book and price each pipeline once, so that what cannot be priced is found now."""
    try:
        books = loaded.books()
    except InvalidBook as error:
        for problem in error.problems:
            problems.add(("price_list",), problem)
        return
    for slug, items in loaded.lists.items():
        for listed in items:
            if listed.item.phases:
                try:
                    estimate(books[slug], listed.item.model, listed.item.operation, {})
                except (InvalidParameter, NotOffered) as error:
                    problems.add((*listed.path, "pipeline"), f"cannot be priced: {error}")
