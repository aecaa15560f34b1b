"""The guide's example is a real profile and costs what the guide says."""

from django.conf import settings

from catalog import loader
from catalog.pricing.engine import estimate


def test_the_example_of_the_guide_loads_and_costs_what_it_says() -> None:
    guide = (settings.BASE_DIR / "docs" / "profiles.md").read_text()
    example = guide.split("```toml\n", 1)[1].split("```", 1)[0]
    book = loader.parse(example, "posters.toml").books()["standard"]
    assert estimate(book, "poster", "generate", {"count": 3, "resolution": "2K"}).micros == 24_000_000
