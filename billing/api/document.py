"""The OpenAPI 3.1 document, generated from the code, and the page that shows it."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from billing.api.app import api
from billing.api.problems import CONTENT_TYPE
from billing.errors import PROBLEMS

METHODS: Final = ("get", "post", "put")
_KEYS: Final = {
    "CustomerAuth": "customer’s key",
    "ServiceAuth": "service key",
    "AnyKey": "either key",
    "none": "no key needed",
}
_IDEMPOTENCY_KEY: Final = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]{1,255}$"},
    "description": "The same key and body again give the first answer, with `Idempotent-Replayed: true`.",
}


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """The OpenAPI document, as ninja makes it and with what it cannot know."""
    whole: dict[str, Any] = orjson.loads(
        orjson.dumps(api.get_openapi_schema(path_prefix=""), option=orjson.OPT_NON_STR_KEYS)
    )
    whole["servers"] = [{"url": "/"}]
    for _, method, operation in operations(whole):
        for status, response in operation["responses"].items():
            content = response.get("content", {})
            if int(status) >= 400 and "application/json" in content:
                response["content"] = {CONTENT_TYPE: content["application/json"]}
        operation["operationId"] = operation["operationId"].rpartition("_views_")[2]
        for parameter in operation["parameters"]:
            parameter["schema"] = _without_null(parameter["schema"])
        if method == "post":
            operation["parameters"].append(_IDEMPOTENCY_KEY)
    schemes = whole["components"]["securitySchemes"]
    schemes["AnyKey"] |= {"description": "A customer's key (bpk_…) or the generation service's (bps_…)."}
    schemes["CustomerAuth"] |= {"description": "A customer's key (bpk_…)."}
    schemes["ServiceAuth"] |= {"description": "The generation service's key (bps_…)."}
    return whole


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query has no null: what may be left out is just left out."""
    ways = [way for way in schema.get("anyOf", []) if way != {"type": "null"}]
    return ways[0] if len(ways) == 1 else schema


def operations(whole: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and operation of everything in a document."""
    for path, item in whole["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


@lru_cache(maxsize=1)
def query_names() -> dict[tuple[str, str], frozenset[str]]:
    """The query's parameters by route (as Django names it) and method."""
    return {
        (path.lstrip("/"), method.upper()): frozenset(
            parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"
        )
        for path, method, operation in operations(document())
    }


def known_query(request: HttpRequest) -> frozenset[str] | None:
    """The query's parameters at the request's address; None where there is nothing, which is said first."""
    match = request.resolver_match
    route = "" if match is None else match.route.replace("<", "{").replace(">", "}")
    return query_names().get((route, request.method or ""))


def no_query(request: HttpRequest) -> frozenset[str]:
    """The document and its page take no parameters."""
    return frozenset()


@lru_cache(maxsize=1)
def _rendered() -> tuple[bytes, str]:
    content = orjson.dumps(document(), option=orjson.OPT_INDENT_2)
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def openapi(request: HttpRequest) -> HttpResponseBase:
    """``GET /v1/openapi.json``."""
    content, etag = _rendered()
    headers = {"ETag": etag, "Cache-Control": "public, max-age=300"}
    if request.method not in ("GET", "HEAD"):
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
    if request.headers.get("If-None-Match") == etag:
        return HttpResponseNotModified(headers=headers)
    return HttpResponse(content, content_type="application/json", headers=headers)


def docs(request: HttpRequest) -> HttpResponseBase:
    """``GET /v1/docs``: the document as a page."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
    context = {
        "sections": sections(),
        "shapes": shapes(),
        "problems": PROBLEMS,
        "base_url": settings.PORTAL_BASE_URL,
    }
    return render(request, "billing/api_docs.html", context)


@lru_cache(maxsize=1)
def sections() -> list[tuple[str, list[dict[str, Any]]]]:
    """The operations by tag, each with what a reader needs: fields of the body, parameters, answers."""
    whole = document()
    shown: dict[str, list[dict[str, Any]]] = {}
    for path, method, operation in operations(whole):
        shown.setdefault(operation["tags"][0], []).append(_shown(whole, path, method, operation))
    return list(shown.items())


@lru_cache(maxsize=1)
def shapes() -> list[dict[str, Any]]:
    """What fields are made of: every schema that is part of another one."""
    schemas = document()["components"]["schemas"]
    parts = set(re.findall(r'"#/components/schemas/(\w+)"', orjson.dumps(schemas).decode()))
    return [
        {
            "name": name,
            "text": _prose(schemas[name].get("description", "").replace("``", "`")),
            "fields": _fields(document(), schemas[name]),
        }
        for name in sorted(parts)
    ]


def _shown(whole: Mapping[str, Any], path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    answers = [
        {"status": status, "fields": _fields(whole, _schema(response)) if int(status) < 400 else []}
        for status, response in operation["responses"].items()
    ]
    return {
        "id": f"{method}-{path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}",
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "texts": [_prose(text) for text in operation.get("description", "").split("\n\n")],
        "keys": [_KEYS[name] for way in operation.get("security", [{}]) for name in way or ["none"]],
        "parameters": [
            {"name": item["name"], "where": item["in"], "type": _type(whole, item["schema"])}
            for item in operation.get("parameters", [])
        ],
        "body": _fields(whole, body),
        "answers": [item for item in answers if item["fields"]],
        "errors": [item["status"] for item in answers if not item["fields"] and int(item["status"]) >= 400],
    }


def _prose(text: str) -> SafeString:
    """A docstring's paragraph with its `names` set as code."""
    parts = enumerate(text.split("`"))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", part) if n % 2 else part,) for n, part in parts)
    )


def _schema(response: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for content in response.get("content", {}).values():
        schema: Mapping[str, Any] = content["schema"]
        return schema
    return None


def _fields(whole: Mapping[str, Any], schema: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    schema = _resolved(whole, next(iter((schema or {}).get("anyOf", [schema or {}]))))
    needed = schema.get("required", [])
    return [
        {"name": name, "type": _type(whole, field), "required": name in needed}
        for name, field in schema.get("properties", {}).items()
    ]


def _resolved(whole: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return whole["components"]["schemas"][name] if name else schema


def _type(whole: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """A type in words: ``string or null``, ``list of Grant``, ``topup, bonus, …``."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_type(whole, part) for part in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"]).lower()
    if schema.get("type") == "array":
        return f"list of {_type(whole, schema.get('items', {}))}"
    if "pattern" in schema and schema.get("examples"):
        return f'decimal string, "{schema["examples"][0]}"'
    return str(schema.get("format") or schema.get("type") or "any")
