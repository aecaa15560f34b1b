"""Which operations the SDK has, and each one's type of parameters, read from its `…_service.py` files."""

import ast
import functools
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

_PARAMS = re.compile(r"\b(\w+Params)\b")


@functools.cache
def package() -> Path:
    """Where the `stripe` package lies."""
    found = importlib.util.find_spec("stripe")
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0])


@functools.cache
def _index() -> list[tuple[str, re.Pattern[str], str | None]]:
    """Method, path and name of the parameters' type (`checkout.SessionCreateParams`); literal paths first."""
    found: list[tuple[str, str, str | None]] = []
    for file in sorted(package().rglob("_*_service.py")):
        found.extend(_operations(ast.parse(file.read_text(encoding="utf-8"))))
    found.sort(key=lambda entry: entry[1].count("{}"))
    return [
        (method, re.compile(re.escape(path).replace(r"\{\}", "[^/]+")), name) for method, path, name in found
    ]


def _operations(tree: ast.Module) -> Iterator[tuple[str, str, str | None]]:
    modules = {
        alias.name: node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "self._request":
                method, path = ast.literal_eval(call.args[0]), _path(call.args[1])
                yield method.upper(), path, _params(function, modules)


def _path(node: ast.expr) -> str:
    """`"/v1/customers/{customer}".format(…)` as `/v1/customers/{}`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
    return re.sub(r"\{\w+\}", "{}", str(ast.literal_eval(node)))


def _params(function: ast.FunctionDef, modules: dict[str, str]) -> str | None:
    for argument in function.args.args:
        named = _PARAMS.search(ast.unparse(argument.annotation)) if argument.annotation else None
        if argument.arg == "params" and named:
            folders = modules[named[1]].removeprefix("stripe.params.").split(".")[:-1]
            return ".".join([*folders, named[1]])
    return None


def find(method: str, path: str) -> tuple[bool, str | None]:
    """Whether the SDK has this operation, and the type of its parameters."""
    for known, pattern, name in _index():
        if known == method and pattern.fullmatch(path):
            return True, name
    return False, None
