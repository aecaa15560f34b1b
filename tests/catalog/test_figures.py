"""Every figure of the five price lists: what is asked for, and what it costs last."""

from collections.abc import Mapping

import pytest

from catalog.pricing import gates
from catalog.pricing.engine import effective, estimate, told
from catalog.pricing.errors import InvalidParameter, NotOffered, UnknownModel
from catalog.pricing.units import micros_to_text
from tests.catalog.conftest import book_of, bundled

Parameters = Mapping[str, object]

# The phases of a full site besides its video: 60 + 8 + 0.
ALL_BUT_VIDEO = [{"id": "hero-image"}, {"id": "html-assembly"}, {"id": "frame-extraction"}]

EXACT: list[tuple[str, str, str, str, Parameters, str]] = [
    # ads: credits
    ("ads", "standard", "static", "generate", {}, "5"),
    ("ads", "standard", "static", "generate", {"count": 10}, "50"),
    ("ads", "standard", "full", "generate", {}, "15"),
    ("ads", "standard", "full", "generate", {"count": 3}, "45"),
    # toon: USD per image, derived
    ("toon", "metered", "ideogram-v3-turbo", "generate", {}, "0.054"),
    ("toon", "metered", "seedream-4-5", "generate", {}, "0.061"),
    ("toon", "metered", "nano-banana-2", "generate", {}, "0.072"),
    ("toon", "metered", "nano-banana-pro-replicate", "generate", {}, "0.072"),
    ("toon", "metered", "seedream-5-lite", "generate", {}, "0.072"),
    ("toon", "metered", "seedream-4-0", "generate", {}, "0.072"),
    ("toon", "metered", "qwen-image-edit-plus", "generate", {}, "0.072"),
    ("toon", "metered", "qwen-image-edit-2511", "generate", {}, "0.072"),
    ("toon", "metered", "z-image-turbo", "generate", {}, "0.072"),
    ("toon", "metered", "gpt-image-2", "generate", {}, "0.095"),
    ("toon", "metered", "flux-2-pro", "generate", {}, "0.108"),
    ("toon", "metered", "ideogram-v3", "generate", {}, "0.108"),
    ("toon", "metered", "nano-banana-pro", "generate", {}, "0.121"),
    ("toon", "metered", "ideogram-v3-quality", "generate", {}, "0.162"),
    ("toon", "metered", "midjourney-v7", "generate", {}, "0.324"),
    ("toon", "metered", "seedream-4-5", "generate", {"count": 7}, "0.427"),
    # toon: credits, operation x model
    *[
        ("toon", "credits", model, operation, {}, price)
        for operation in ("product-enhancement", "fashion-editorial", "relight")
        for model, price in (
            ("gemini-pro", "3"),
            ("nano-banana-2", "2"),
            ("seedream-4-5", "1"),
            ("seedream-5", "2"),
        )
    ],
    ("toon", "credits", "gemini-pro", "video-5s", {}, "10"),
    ("toon", "credits", "gemini-pro", "video-10s", {}, "20"),
    # sites: images
    ("sites", "standard", "nano-banana-pro", "generate", {}, "20"),
    ("sites", "standard", "seedream-4-5", "generate", {}, "18"),
    ("sites", "standard", "gemini-2-5-flash", "generate", {}, "8"),
    ("sites", "standard", "flux-pro", "generate", {}, "16"),
    ("sites", "standard", "flux-schnell", "generate", {}, "12"),
    ("sites", "standard", "image-tools", "edit-variation", {}, "12"),
    ("sites", "standard", "image-tools", "upscale", {"factor": 2}, "4"),
    ("sites", "standard", "image-tools", "upscale", {"factor": 4}, "4"),
    ("sites", "standard", "image-tools", "background-removal", {}, "4"),
    ("sites", "standard", "seedream-4-5", "generate", {"resolution": "2K"}, "36"),
    ("sites", "standard", "nano-banana-pro", "generate", {"resolution": "4K"}, "40"),
    ("sites", "standard", "gemini-2-5-flash", "generate", {"resolution": "2K", "count": 3}, "48"),
    # sites: video
    ("sites", "standard", "veo-3-1", "generate", {"seconds": 1}, "32"),
    ("sites", "standard", "veo-3-1", "generate", {"seconds": 8, "resolution": "720p"}, "256"),
    ("sites", "standard", "veo-3-1", "generate", {"seconds": 8, "resolution": "1080p"}, "256"),
    ("sites", "standard", "veo-3-1", "generate", {"seconds": 8, "queue": "relaxed"}, "150"),
    ("sites", "standard", "veo-3-1", "generate", {"seconds": 8, "queue": "hd", "resolution": "1080p"}, "680"),
    ("sites", "standard", "veo-3-1", "generate", {"seconds": 8, "resolution": "2K"}, "512"),
    ("sites", "standard", "veo-3-1", "generate", {"seconds": 8, "resolution": "2K", "queue": "hd"}, "512"),
    ("sites", "standard", "veo-3-1", "generate", {"seconds": 8, "resolution": "4K"}, "1024"),
    ("sites", "standard", "veo-3-1", "generate", {"seconds": 8, "resolution": "4K", "queue": "hd"}, "1024"),
    ("sites", "standard", "ltx", "extend", {}, "60"),
    ("sites", "standard", "ltx", "extend", {"seconds": 4}, "60"),
    # sites: editing, chat, free
    ("sites", "standard", "assistant", "chat-edit", {}, "0.5"),
    ("sites", "standard", "assistant", "prompt-enhancement", {}, "1"),
    ("sites", "standard", "assistant", "brainstorm", {}, "1"),
    ("sites", "standard", "assistant", "business-os-chat", {}, "15"),
    ("sites", "standard", "assistant", "business-os-chat", {"messages": 2}, "30"),
    *[
        ("sites", "standard", "site", operation, {}, "0")
        for operation in (
            "inline-text-edit",
            "design-preset",
            "browsing-or-previewing",
            "re-publishing",
            "settings-and-metadata",
            "downloading-html-or-zip",
            "frame-extraction",
        )
    ],
]


@pytest.mark.parametrize(("profile", "price_list", "model", "operation", "parameters", "expected"), EXACT)
def test_costs(
    profile: str, price_list: str, model: str, operation: str, parameters: Parameters, expected: str
) -> None:
    quote = estimate(book_of(profile, price_list), model, operation, parameters)
    assert micros_to_text(quote.micros) == expected
    assert sum(line.micros for line in quote.lines) == quote.micros


@pytest.mark.parametrize("model", ["nano-banana-2", "seedream-4-5", "seedream-5"])
@pytest.mark.parametrize("operation", ["video-5s", "video-10s"])
def test_a_dash_of_the_table_is_refused_and_says_who_offers_it(model: str, operation: str) -> None:
    with pytest.raises(NotOffered, match="It is offered with Gemini Pro"):
        estimate(book_of("toon", "credits"), model, operation, {})


def test_metered_models_are_not_sold_for_credits() -> None:
    with pytest.raises(UnknownModel):
        estimate(book_of("toon", "credits"), "midjourney-v7", "generate", {})


def test_hd_is_offered_at_1080p_only() -> None:
    with pytest.raises(NotOffered, match=r"not offered with queue hd and resolution 720p\. Offered: "):
        estimate(
            book_of("sites", "standard"),
            "veo-3-1",
            "generate",
            {"seconds": 8, "queue": "hd", "resolution": "720p"},
        )


def test_upscaling_is_twofold_or_fourfold_and_nothing_between() -> None:
    with pytest.raises(NotOffered, match="not offered with factor 3"):
        estimate(book_of("sites", "standard"), "image-tools", "upscale", {"factor": 3})


def test_relaxed_video_is_approximate_about_forty_percent_below_standard() -> None:
    quote = estimate(book_of("sites", "standard"), "veo-3-1", "generate", {"seconds": 8, "queue": "relaxed"})
    assert quote.approximate
    assert quote.range_json() == {"low": "144", "high": "153.6"}


@pytest.mark.parametrize(
    ("model", "operation", "parameters", "plan"),
    [
        ("nano-banana-pro", "generate", {}, "premium"),
        ("seedream-4-5", "generate", {}, None),
        ("gemini-2-5-flash", "generate", {}, None),
        ("flux-pro", "generate", {}, "pro"),
        ("flux-schnell", "generate", {}, "pro"),
        ("flux-schnell", "generate", {"resolution": "2K"}, "premium"),
        ("seedream-4-5", "generate", {"resolution": "4K"}, "premium"),
        ("veo-3-1", "generate", {"seconds": 8}, None),
        ("veo-3-1", "generate", {"seconds": 8, "queue": "relaxed"}, None),
        ("veo-3-1", "generate", {"seconds": 8, "queue": "hd"}, "premium"),
        ("veo-3-1", "generate", {"seconds": 8, "resolution": "2K"}, "premium"),
        ("veo-3-1", "generate", {"seconds": 8, "resolution": "4K"}, "premium"),
        ("ltx", "extend", {}, "pro"),
        ("assistant", "business-os-chat", {}, "pro"),
        ("assistant", "chat-edit", {}, None),
        ("site", "generate", {}, None),
    ],
)
def test_sites_gate_by_plan(model: str, operation: str, parameters: Parameters, plan: str | None) -> None:
    quote = estimate(book_of("sites", "standard"), model, operation, parameters)
    assert quote.gate.plan_tier == plan
    for offered in bundled("sites").file.plan:
        opens = plan is None or offered.rank >= {"basic": 0, "pro": 1, "premium": 2}[plan]
        assert (gates.refusal(quote, offered) is None) is opens


def test_a_refused_gate_names_the_plan_that_opens_it() -> None:
    quote = estimate(book_of("sites", "standard"), "flux-pro", "generate", {})
    basic = bundled("sites").file.plan[0]
    assert gates.refusal(quote, basic) == ("Flux Pro needs the Pro plan or above; this account is on Basic.")
    assert gates.refusal(quote, None) == ("Flux Pro needs the Pro plan or above; this account has no plan.")


def test_a_full_site_is_a_range_with_a_line_per_phase() -> None:
    quote = estimate(book_of("sites", "standard"), "site", "generate", {})
    assert quote.range_json() == {"low": "400", "high": "600"}
    assert [(line["what"], line["amount"]) for line in quote.lines_json()] == [
        ("Hero image HD", "60"),
        ("Motion video, 8 s 1080p", "256"),
        ("HTML assembly", "8"),
        ("Frame extraction", "0"),
        ("Further images and second tries", "276"),
    ]
    assert micros_to_text(quote.micros) == "600"
    assert not quote.requires_confirmation


def test_a_basic_plan_has_two_full_sites_a_month() -> None:
    quote = estimate(book_of("sites", "standard"), "site", "generate", {})
    assert quote.gate.monthly_limit == "full-sites"
    assert gates.monthly_allowance(quote, bundled("sites").file.plan[0]) == 2


def test_a_full_regeneration_costs_400_to_600_and_asks_first() -> None:
    quote = estimate(book_of("sites", "standard"), "site", "full-regeneration", {})
    assert quote.range_json() == {"low": "400", "high": "600"}
    assert quote.requires_confirmation
    assert quote.gate.monthly_limit is None


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        (None, "324"),
        ([], "0"),
        ({}, "0"),
        ([{"id": "motion-video", "status": "failed"}], "0"),
        ([{"id": "motion-video"}], "256"),
        ([*ALL_BUT_VIDEO, {"id": "motion-video", "status": "failed"}], "68"),
        ([*ALL_BUT_VIDEO, {"id": "motion-video", "status": "skipped"}], "68"),
        ([*ALL_BUT_VIDEO, {"id": "motion-video", "seconds": 4}], "196"),
        ([{"id": "hero-image", "hero_model": "seedream-4-5", "hero_resolution": "HD"}], "20"),
        ([{"id": "html-assembly", "tokens": 12500}], "12.5"),
        ([*ALL_BUT_VIDEO, {"id": "further-images", "cost": "120.5"}], "188.5"),
        ([{"id": "hero-image", "cost": "41"}], "41"),
        (
            {
                "motion-video": "failed",
                "hero-image": {"hero_model": "nano-banana-pro", "hero_resolution": "4K"},
                "html-assembly": "succeeded",
            },
            "68",
        ),
    ],
)
def test_a_delivered_site_pays_for_the_phases_reported_done(phases: object, expected: str) -> None:
    outputs = {} if phases is None else {"phases": phases}
    quote = effective(book_of("sites", "standard"), "site", "generate", {}, outputs)
    assert micros_to_text(quote.micros) == expected
    assert quote.low == quote.high == quote.micros
    assert not quote.approximate


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        ([], "600"),
        ([{"id": "hero-image", "cost": "20"}], "560"),
        ([{"id": "motion-video", "status": "failed"}], "344"),
        ([{"id": "further-images", "status": "skipped"}], "324"),
        ([{"id": "further-images", "cost": "300"}], "624"),
    ],
)
def test_while_a_site_goes_on_what_is_not_reported_is_still_to_come(
    phases: list[dict[str, str]], expected: str
) -> None:
    quote = effective(
        book_of("sites", "standard"), "site", "generate", {}, {"phases": phases}, unfinished=True
    )
    assert micros_to_text(quote.micros) == expected


def test_a_report_has_one_form() -> None:
    book = book_of("sites", "standard")
    listed = {"phases": [{"id": "hero-image"}, {"id": "motion-video", "status": "failed"}]}
    short = {"phases": {"hero-image": {}, "motion-video": "failed"}}
    one_form = {"hero-image": {"status": "succeeded"}, "motion-video": {"status": "failed"}}
    assert told(book, "site", "generate", listed) == told(book, "site", "generate", short) == one_form
    with pytest.raises(InvalidParameter, match="has no phases"):
        told(book, "seedream-4-5", "generate", listed)


def test_a_failed_phase_is_shown_and_not_charged() -> None:
    outputs = {"phases": [{"id": "motion-video", "status": "failed"}]}
    quote = effective(book_of("sites", "standard"), "site", "generate", {}, outputs)
    assert {
        "what": "Motion video, 8 s 1080p (failed, not charged)",
        "quantity": "0",
        "unit_price": "0",
        "amount": "0",
    } in (quote.lines_json())


def test_a_phase_nobody_mentions_in_a_report_is_shown_and_not_charged() -> None:
    outputs = {"phases": [{"id": "html-assembly"}]}
    quote = effective(book_of("sites", "standard"), "site", "generate", {}, outputs)
    assert [(line["what"], line["amount"]) for line in quote.lines_json()] == [
        ("Hero image HD (not reported, not charged)", "0"),
        ("Motion video, 8 s 1080p (not reported, not charged)", "0"),
        ("HTML assembly", "8"),
        ("Frame extraction (not reported, not charged)", "0"),
    ]


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        ("all", "must be a list of phases"),
        ([1], "must be a list of phases"),
        ([{"id": "intro"}], "one of hero-image, motion-video"),
        ([{"id": "hero-image"}, {"id": "hero-image"}], "reported twice"),
        ([{"id": "hero-image", "status": "ok"}], "must be one of succeeded, failed, skipped"),
        ([{"id": "hero-image", "cost": 41}], "plain decimal string"),
        ([{"id": "hero-image", "cost": "-1"}], "plain decimal string"),
        ([{"id": "hero-image", "sauce": 1}], "is not a parameter of Hero image HD"),
    ],
)
def test_a_malformed_report_of_phases_is_refused(phases: object, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        effective(book_of("sites", "standard"), "site", "generate", {}, {"phases": phases})


@pytest.mark.parametrize(
    ("model", "operation", "parameters", "needs"),
    [
        ("sdxl", "generate", {}, "0.01"),
        ("sdxl", "generate", {"resolution": "2K"}, "0.01"),
        ("sdxl", "generate", {"resolution": "4K"}, "0.5"),
        ("flux-1-schnell", "generate", {"resolution": "2K"}, "0.01"),
        ("z-image-turbo", "generate", {}, "0.01"),
        ("seedream-4-5", "generate", {}, "0.5"),
        ("nano-banana-pro", "generate", {"resolution": "1K"}, "0.5"),
        ("processing", "resize", {}, "0.01"),
    ],
)
def test_images_gate_by_balance(model: str, operation: str, parameters: Parameters, needs: str) -> None:
    quote = estimate(book_of("images", "standard"), model, operation, parameters)
    assert micros_to_text(quote.gate.needs_available) == needs
    assert gates.balance_refusal(quote, quote.gate.needs_available) is None
    refusal = gates.balance_refusal(quote, quote.gate.needs_available - 1)
    assert refusal is not None
    assert f"needs at least {needs} EUR available" in refusal


def test_images_offer_twelve_models_on_three_levels_and_twenty_operations() -> None:
    models = [model for model in bundled("images").file.model if model.id != "processing"]
    assert len(models) == 12
    assert {model.tier for model in models} == {"budget", "standard", "premium"}
    assert sum(model.tier == "budget" for model in models) == 3
    book = book_of("images", "standard")
    assert sum(model == "processing" for model, _ in book.items) == 20
    assert all(book.items[model.id, "generate"].spec.rate.approximate for model in models)
    assert all(
        item.spec.rate.per == "request" for (model, _), item in book.items.items() if model == "processing"
    )


def test_an_image_costs_what_was_delivered() -> None:
    book = book_of("images", "standard")
    asked = estimate(book, "flux-1-dev", "generate", {"resolution": "2K"})
    got = effective(book, "flux-1-dev", "generate", {"resolution": "2K"}, {"megapixels": 3})
    assert (micros_to_text(asked.micros), micros_to_text(got.micros)) == ("0.1", "0.075")
    assert asked.low < asked.micros < asked.high


@pytest.mark.parametrize(
    ("model", "parameters", "outputs", "expected"),
    [
        ("kling-2-5-turbo", {"seconds": 10}, {"seconds": 6}, "0.42"),
        ("kling-2-5-turbo", {"seconds": 10}, {"seconds": 6, "format": "mov"}, "0.525"),
        ("wan-2-5", {"resolution": "1080p", "seconds": 4}, {"resolution": "720p"}, "0.4"),
        ("veo-3-1", {"audio": True}, {"seconds": 8}, "2.4"),
        ("flux-2-pro", {"count": 2}, {"megapixels": 1, "count": 1}, "0.03"),
        ("gpt-image-1-5", {}, {"tokens": 1200}, "0.0384"),
        ("gpt-image-1-5", {}, {"tokens": 10}, "0.001"),
        ("seedream-4-5", {"count": 4}, {"count": 0}, "0"),
    ],
)
def test_gateway_charges_by_outputs(
    model: str, parameters: Parameters, outputs: Parameters, expected: str
) -> None:
    quote = effective(book_of("gateway", "standard"), model, "generate", parameters, outputs)
    assert micros_to_text(quote.micros) == expected
    assert sum(line.micros for line in quote.lines) == quote.micros
