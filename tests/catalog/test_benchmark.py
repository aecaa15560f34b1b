"""The benchmark runs and its targets hold; a machine under load gets three attempts."""

import pytest

from benchmarks import pricing


@pytest.mark.slow
def test_pricing_is_within_its_targets() -> None:
    assert any(pricing.main() == 0 for _ in range(3))
