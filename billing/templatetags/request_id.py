"""The request's id, for error pages: what support finds the logs by."""

import structlog
from django import template

register = template.Library()


@register.simple_tag
def request_id() -> str:
    """The id the logs of this request carry; empty outside of one."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))
