"""Logs for machines: one JSON object a line, with the id of the request it belongs to, and no secrets.

Whoever knows more binds it with ``structlog.contextvars``: the account of the page or key, the task. Lines of money
calls are written by ``billing.api.calls``.
"""

import re
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

_SECRETS: Final = re.compile(
    r"(?P<kind>bp[ks]_|sk_(?:live|test)_|rk_(?:live|test)_|whsec_)[0-9A-Za-z]{6,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|(?<=Bearer )\S+"
    r"|[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
)


def without_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keys, passwords in addresses and e-mail addresses become ``[hidden]``, wherever in the line they are."""
    for name, value in event.items():
        event[name] = hidden(value)
    return event


def hidden(value: Any) -> Any:
    """The value without what must not be logged; a key keeps its kind (``bpk_[hidden]``)."""
    if isinstance(value, str):
        return _SECRETS.sub(lambda found: f"{found['kind'] or ''}[hidden]", value)
    if isinstance(value, dict):
        return {name: hidden(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [hidden(part) for part in value]
    return value


def as_json() -> dict[str, Any]:
    """Django's LOGGING setting; what the standard library logs comes out the same way."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    without_secrets,
                    structlog.processors.JSONRenderer(default=str),
                ],
            }
        },
        "handlers": {"stream": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stream"], "level": "INFO"},
    }
