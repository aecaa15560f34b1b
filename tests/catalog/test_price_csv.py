"""Prices as CSV: there and back without a difference, every mistake by its line, nothing half taken over."""

import io
import time
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from catalog import drafts, price_csv, services, versions
from catalog.figures import label, spots
from catalog.models import AIModel, Operation, Price, PriceBook, PriceList
from catalog.price_csv import InvalidPrices
from tests.catalog.conftest import bundled

pytestmark = pytest.mark.django_db
ALL = [
    ("ads", "standard"), ("images", "standard"), ("toon", "credits"), ("toon", "metered"),
    ("sites", "standard"), ("gateway", "standard"),
]  # fmt: skip
HEAD = b"model,operation,price\n"


def draft(profile: str, price_list: str = "standard") -> PriceBook:
    services.store_profile(bundled(profile))
    return versions.new_draft(PriceList.objects.get(profile=profile, slug=price_list))


def mistakes(book: PriceBook, data: bytes) -> list[str]:
    before = drafts.fingerprint(drafts.entries(book))
    with pytest.raises(InvalidPrices) as refused:
        price_csv.read(book, data)
    assert drafts.fingerprint(drafts.entries(book)) == before
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.parametrize(("profile", "price_list"), ALL)
@pytest.mark.parametrize("complete", [False, True])
def test_what_is_written_reads_without_a_difference(profile: str, price_list: str, complete: bool) -> None:
    book = draft(profile, price_list)
    before = drafts.entries(book)
    after = price_csv.read(book, price_csv.write(book).encode(), complete=complete)
    assert after == before
    assert drafts.store(book, after) == 0


def test_figures_change_and_prices_are_added() -> None:
    book = draft("toon", "credits")
    data = b"model;operation;price\ngemini-pro;relight;3.5\nseedream-5;video-5s;7\n"
    assert drafts.store(book, price_csv.read(book, data)) == 2
    changed = drafts.entries(book)
    assert changed["gemini-pro", "relight"].item.rate.price == Decimal("3.5")
    new, like = changed["seedream-5", "video-5s"].item, changed["gemini-pro", "video-5s"].item
    assert (new.rate.price, new.rate.per, new.parameters) == (Decimal(7), like.rate.per, like.parameters)


def test_a_complete_file_is_the_whole_list() -> None:
    book = draft("ads")
    wanted = price_csv.read(book, HEAD + b"static,generate,5\n", complete=True)
    assert list(wanted) == [("static", "generate")]
    assert len(price_csv.read(book, HEAD + b"static,generate,5\n")) == 2


def test_parts_are_variants_and_phases() -> None:
    book = draft("sites")
    data = b"model,operation,part,price,low,high\nveo-3-1,generate,relaxed queue,20,19,21\n"
    data += b"site,generate,html-assembly,0.002,,\n"
    wanted = price_csv.read(book, data)
    relaxed = wanted["veo-3-1", "generate"].item.rate.variants[1]
    assert (relaxed.price, relaxed.low, relaxed.high) == (Decimal(20), Decimal(19), Decimal(21))
    phase = wanted["site", "generate"].item.phases[2].rate
    assert phase is not None
    assert phase.price == Decimal("0.002")
    assert wanted["site", "full-regeneration"] == drafts.entries(book)["site", "full-regeneration"]


def test_a_figure_of_its_own_no_longer_follows_the_cost_and_yes_makes_it() -> None:
    book = draft("toon", "metered")
    wanted = price_csv.read(book, HEAD + b"midjourney-v7,generate,0.4\n")
    assert wanted["midjourney-v7", "generate"].cost is None
    drafts.store(book, wanted)
    again = price_csv.read(book, b"model,operation,price,derived\nmidjourney-v7,generate,,yes\n")
    entry = again["midjourney-v7", "generate"]
    assert (entry.item.rate.price, entry.cost) == (Decimal("0.324"), Decimal("0.18"))


def test_a_part_follows_no_cost() -> None:
    book = draft("sites")
    spot = next(
        f"{model},{operation},{label(entry.item, spot)}"
        for (model, operation), entry in drafts.entries(book).items()
        for spot in spots(entry.item)
        if spot.variant is not None
    )
    data = f"model,operation,part,price,derived\n{spot},,yes\n".encode()
    assert mistakes(book, data) == ["line 2: derived: only a price of its own follows the cost, not a part."]


def test_every_mistake_is_told_at_once_by_its_line() -> None:
    book = draft("ads")
    data = (
        b"model,operation,part,price,low,high,per,unit\n"
        b"static,generate,,-5,,,,\n"
        b"statik,generate,,5,,,,\n"
        b"full,generate,,1e3,,,,EUR\n"
        b"full,generate,,5000000,,,,\n"
        b"full,generate,big,5,,,,\n"
        b",paint,,,,,,\n"
        b'static,generate,,"1,5",,,,\n'
        b"\n"
        b"full,generate,,,,,,\n"
    )
    found = mistakes(book, data)
    assert found == [
        "line 2: price: must not be negative.",
        "line 3: model: there is no model 'statik'. Did you mean static?",
        "line 4: price: must be a number, such as 0.054.",
        "line 4: unit: two units in one price book: EUR here, credit there.",
        "line 5: model: is the same price as in line 4.",
        "line 5: price: must be at most 1,000,000.",
        "line 6: part: is not a part of this price; its parts are ''.",
        "line 7: model: is missing.",
        "line 7: operation: there is no operation 'paint'.",
        "line 7: price: is empty; 0 is free, and what is not offered has no row.",
        "line 8: model: is the same price as in line 2.",
        "line 8: price: must be written with a point, such as 0.054.",
        "line 10: model: is the same price as in line 4.",
        "line 10: price: is empty; 0 is free, and what is not offered has no row.",
    ]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "file: is empty."),
        (b"\xff\xfe\x00m", "line 1: file: is not UTF-8 text; save it as CSV UTF-8."),
        (HEAD + b"static,generate,\xe9\n", "line 2: file: is not UTF-8 text; save it as CSV UTF-8."),
        (HEAD + b"static,gen\x00erate,5\n", "line 2: file: has a NUL character; it is no text file."),
        (b"x" * (price_csv.LARGEST + 1), "file: is larger than 8 MB."),
        (b"modell,operation,price\n", "line 1: model: is missing from the first line."),
        (b"modell,operation,price\n", "line 1: modell: is not a known column. Did you mean model?"),
        (b"model,operation,price,price\n", "line 1: price: is there twice."),
        (HEAD + b'"' + b"a" * 200_000 + b'",b,1\n', "line 2: file: is not CSV: field larger than field limit (131072)."),
    ],
)  # fmt: skip
def test_a_file_that_is_no_price_list_says_why(data: bytes, problem: str) -> None:
    assert problem in mistakes(draft("ads"), data)


def test_gates_and_phases_that_lead_nowhere_are_told() -> None:
    book = draft("sites")
    Price.objects.filter(book=book, model__slug="flux-pro").update(requires="platinum")
    rows = price_csv.write(book).splitlines()
    kept = [row for row in rows if not row.startswith("veo-3-1")]
    with pytest.raises(InvalidPrices) as refused:
        price_csv.read(book, "\r\n".join(kept).encode(), complete=True)
    text = str(refused.value)
    assert "requires the plan 'platinum', which is missing" in text
    assert "uses veo-3-1.generate, which has no price" in text


def test_no_cell_is_a_formula() -> None:
    book = draft("sites")
    price = Price.objects.get(book=book, model__slug="veo-3-1")
    price.rules["rate"]["variants"][0]["name"] = "=cmd|' /C calc'!A0"
    price.save()
    text = price_csv.write(book)
    assert not any(cell.startswith(("=", "+", "@")) for line in text.splitlines() for cell in line.split(","))
    assert price_csv.read(book, text.encode()) == drafts.entries(book)


@pytest.mark.slow
def test_ten_thousand_rows_are_taken_over_in_seconds_or_not_at_all() -> None:
    book = draft("ads")
    AIModel.objects.bulk_create(
        AIModel(profile_id="ads", slug=f"m{n}", name=f"Model {n}", position=n + 2) for n in range(100)
    )
    Operation.objects.bulk_create(
        Operation(profile_id="ads", slug=f"o{n}", name=f"Operation {n}", position=n + 2) for n in range(100)
    )
    rows = [f"m{m},o{o},{m}.{o:02}1" for m in range(100) for o in range(100)]
    wrong = [*rows]
    wrong[17], wrong[9_998] = "m0,o17,-1", "m99,o98,x"
    assert mistakes(book, HEAD + "\n".join(wrong).encode()) == [
        "line 19: price: must not be negative.",
        "line 10000: price: must be a number, such as 0.054.",
    ]
    assert book.prices.count() == 2
    started = time.process_time()
    assert drafts.store(book, price_csv.read(book, HEAD + "\n".join(rows).encode())) == 10_000
    assert time.process_time() - started < 5
    assert book.prices.count() == 10_002


def test_the_commands_write_and_load(tmp_path: Path) -> None:
    services.store_profile(bundled("toon"))
    path = tmp_path / "metered.csv"
    call_command("export_profile", "toon", "--prices", "metered", "--output", str(path))
    out = io.StringIO()
    call_command("load_profile", "toon", "--prices", str(path), "--list", "metered", stdout=out)
    assert out.getvalue() == "toon: no changes.\n"
    path.write_text(
        path.read_text().replace("flux-2-pro,generate,,0.108,,,yes", "flux-2-pro,generate,,0.2,,,")
    )
    out = io.StringIO()
    call_command("load_profile", "toon", "--prices", str(path), "--list", "metered", "--dry-run", stdout=out)
    assert "~ price metered flux-2-pro.generate rate price: 0.108 → 0.2" in out.getvalue()
    assert PriceBook.objects.filter(price_list__slug="metered").count() == 1
    call_command("load_profile", "toon", "--prices", str(path), "--list", "metered", stdout=out)
    assert "Published toon: Pay-per-use, version 2, in force from" in out.getvalue()
    path.write_text("model,operation,price\nx,y,z\n")
    with pytest.raises(CommandError, match="line 2: model: there is no model 'x'"):
        call_command("load_profile", "toon", "--prices", str(path), "--list", "metered")
    with pytest.raises(CommandError, match="There is no such price list"):
        call_command("load_profile", "toon", "--prices", str(path), "--list", "nope")


def test_the_written_profile_loads_by_command(tmp_path: Path) -> None:
    services.store_profile(bundled("sites"))
    path, out = tmp_path / "sites.toml", io.StringIO()
    call_command("export_profile", "sites", "--output", str(path))
    call_command("check_profile", str(path), stdout=out)
    call_command("load_profile", str(path), stdout=out)
    assert out.getvalue().endswith("sites: no changes.\n")
    with pytest.raises(CommandError, match="There is no profile 'moon'; stored ones are sites"):
        call_command("export_profile", "moon")
    with pytest.raises(CommandError, match="has no published price list 'x'; it has standard"):
        call_command("export_profile", "sites", "--prices", "x")
