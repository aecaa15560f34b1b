"""The parameters each operation takes, read from the type declarations that the `stripe` package ships.

`stripe/params/…` declares one TypedDict per operation. They are read as source (nothing of the package is
imported), once per operation and only when it is first asked for.
"""

import ast
import functools
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Text:
    pass


@dataclass(frozen=True)
class Integer:
    pass


@dataclass(frozen=True)
class Number:
    """A decimal or floating number; kept as text, because money never becomes a float."""


@dataclass(frozen=True)
class Flag:
    pass


@dataclass(frozen=True)
class Choice:
    values: tuple[str, ...]


@dataclass(frozen=True)
class Mapping:
    """Free keys, text values: metadata and its like."""


@dataclass(frozen=True)
class Items:
    of: "Kind"


@dataclass(frozen=True)
class Either:
    options: tuple["Kind", ...]


@dataclass(frozen=True)
class Shape:
    """A nested hash, declared by the TypedDict `name` of the same file."""

    file: str
    name: str

    def fields(self) -> dict[str, "Field"]:
        return _fields(self.file, self.name)


Kind = Text | Integer | Number | Flag | Choice | Mapping | Items | Either | Shape


@dataclass(frozen=True)
class Field:
    kind: Kind
    required: bool


_PLAIN: dict[str, Kind] = {
    "str": Text(),
    "int": Integer(),
    "bool": Flag(),
    "float": Number(),
    "Decimal": Number(),
    "Any": Text(),
    "object": Text(),
}


@functools.cache
def _package() -> Path:
    found = importlib.util.find_spec("stripe")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError(
            "The simulator reads Stripe's parameter types from the 'stripe' package: install it."
        )
    return Path(found.submodule_search_locations[0]) / "params"


def shape(name: str) -> Shape:
    """`"CustomerCreateParams"`, or `"checkout.SessionCreateParams"` for a namespaced operation."""
    *folders, class_name = name.split(".")
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", class_name).lower()
    return Shape(str(Path(*folders) / f"_{snake}.py"), class_name)


@functools.cache
def _classes(file: str) -> dict[str, ast.ClassDef]:
    tree = ast.parse((_package() / file).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


@functools.cache
def _alternatives(file: str) -> dict[str, ast.expr]:
    """Functional TypedDicts (`X = TypedDict("X", {"from": …})`), for fields named like Python keywords."""
    tree = ast.parse((_package() / file).read_text(encoding="utf-8"))
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.value.args) == 2:
            target = node.targets[0]
            if isinstance(target, ast.Name):
                found[target.id] = node.value.args[1]
    return found


@functools.cache
def _fields(file: str, name: str) -> dict[str, Field]:
    declared: dict[str, ast.expr] = {}
    functional = _alternatives(file).get(name) or _alternatives(file).get(f"_{name}Base")
    if isinstance(functional, ast.Dict):
        for key, annotation in zip(functional.keys, functional.values, strict=True):
            if isinstance(key, ast.Constant):
                declared[str(key.value)] = annotation
    if name in _classes(file):
        for node in _classes(file)[name].body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                declared[node.target.id] = node.annotation
    return {key: _field(file, annotation) for key, annotation in declared.items()}


def _field(file: str, annotation: ast.expr) -> Field:
    annotation = _unquote(annotation)
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "NotRequired":
        return Field(_kind(file, annotation.slice), required=False)
    return Field(_kind(file, annotation), required=True)


def _unquote(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return ast.parse(node.value.strip(), mode="eval").body
    return node


def _kind(file: str, node: ast.expr) -> Kind:
    node = _unquote(node)
    if isinstance(node, ast.BinOp):
        return _union(file, [node.left, node.right])
    if isinstance(node, ast.Name):
        return _PLAIN.get(node.id) or Shape(file, node.id)
    if isinstance(node, ast.Subscript):
        return _subscript(file, ast.unparse(node.value), node.slice)
    raise TypeError(f"{file}: no rule for the annotation {ast.unparse(node)}")


def _subscript(file: str, outer: str, inner: ast.expr) -> Kind:
    if outer == "Literal":
        values = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        return Choice(tuple(str(value.value) for value in values if isinstance(value, ast.Constant)))
    if outer in ("List", "list", "Sequence"):
        return Items(_kind(file, inner))
    if outer in ("Dict", "Mapping", "UntypedStripeObject"):
        return Mapping()
    if outer == "Optional":
        return _union(file, [inner])
    if outer == "Union":
        return _union(file, inner.elts if isinstance(inner, ast.Tuple) else [inner])
    raise TypeError(f"{file}: no rule for the annotation {outer}[…]")


def _union(file: str, parts: list[ast.expr]) -> Kind:
    """`Literal['a', 'b'] | str` is how the SDK writes an enum that may grow: to the API it is closed."""
    kinds: list[Kind] = []
    for part in parts:
        kind = _kind(file, part)
        kinds.extend(kind.options if isinstance(kind, Either) else [kind])
    if any(isinstance(kind, Choice) and kind.values != ("",) for kind in kinds):
        kinds = [kind for kind in kinds if not isinstance(kind, Text)]
    unique = tuple(dict.fromkeys(kinds))
    return unique[0] if len(unique) == 1 else Either(unique)
