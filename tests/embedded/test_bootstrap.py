"""What the bootstrap hands on to uv."""

import pytest

from config.embedded.bootstrap import LOCAL, keep_compiled, uv_environment

PIP = {
    "index-url": "https://packages.example/simple",
    "extra-index-url": "https://a.example/simple https://b.example/simple",
    "find-links": "/wheels /more-wheels",
    "cert": "/etc/ca.pem",
}


def test_pips_settings_reach_uv_under_its_own_names() -> None:
    environment = uv_environment({"HOME": "/anywhere"}, PIP)

    assert environment == {
        "HOME": "/anywhere",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_DEFAULT_INDEX": "https://packages.example/simple",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/wheels,/more-wheels",
        "SSL_CERT_FILE": "/etc/ca.pem",
    }


def test_what_uv_was_told_itself_wins_over_pips_settings() -> None:
    environment = uv_environment({"UV_DEFAULT_INDEX": "https://mine.example/simple"}, PIP)

    assert environment["UV_DEFAULT_INDEX"] == "https://mine.example/simple"


def test_an_activated_environment_of_someone_elses_is_not_filled() -> None:
    assert "VIRTUAL_ENV" not in uv_environment({"VIRTUAL_ENV": "/somewhere"}, {})


def test_compiled_python_is_kept_aside_where_none_is_wanted_beside_the_code() -> None:
    environment = {"PYTHONDONTWRITEBYTECODE": "1"}
    keep_compiled(environment)
    assert environment == {"PYTHONPYCACHEPREFIX": str(LOCAL / "bytecode")}


@pytest.mark.parametrize("told", [{}, {"PYTHONPYCACHEPREFIX": "/elsewhere"}])
def test_where_python_keeps_it_by_itself_nothing_is_said(told: dict[str, str]) -> None:
    environment = dict(told)
    keep_compiled(environment)
    assert environment == told
