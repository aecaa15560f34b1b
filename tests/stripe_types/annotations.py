"""Reading the SDK's resource classes as source: what fields an object has, and what type each one is of.

Read as source because the annotations name classes that are imported for type checkers only.
"""

import ast
import functools
from dataclasses import dataclass
from pathlib import Path

from tests.stripe_types.operations import package


@dataclass(frozen=True)
class Resource:
    """A class of the SDK: its file and the names that lead to it, `("Charge", "Outcome")`."""

    file: Path
    names: tuple[str, ...]


@functools.cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@functools.cache
def _imports(file: Path) -> dict[str, Resource]:
    """Local name of every imported SDK class, for type checkers too."""
    found: dict[str, Resource] = {}
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stripe."):
            source = package().joinpath(*str(node.module).split(".")[1:]).with_suffix(".py")
            for alias in node.names:
                found[alias.asname or alias.name] = Resource(source, (alias.name,))
    return found


@functools.cache
def class_node(resource: Resource) -> ast.ClassDef | None:
    body: list[ast.stmt] = _tree(resource.file).body
    node: ast.ClassDef | None = None
    for name in resource.names:
        node = next((item for item in body if isinstance(item, ast.ClassDef) and item.name == name), None)
        if node is None:
            return None
        body = node.body
    return node


@functools.cache
def fields(resource: Resource) -> dict[str, ast.expr]:
    """The annotation of each field."""
    node = class_node(resource)
    if node is None:
        return {}
    return {
        item.target.id: item.annotation
        for item in node.body
        if isinstance(item, ast.AnnAssign)
        and isinstance(item.target, ast.Name)
        and not item.target.id.startswith("_")
        and "ClassVar" not in ast.unparse(item.annotation)
    }


def resolve(name: str, used_in: Resource) -> Resource | None:
    """The class that a (dotted) name means where it is used: nested, of the same file, or imported."""
    parts = tuple(name.split("."))
    for depth in range(len(used_in.names), -1, -1):
        candidate = Resource(used_in.file, used_in.names[:depth] + parts)
        if class_node(candidate) is not None:
            return candidate
    imported = _imports(used_in.file).get(parts[0])
    return Resource(imported.file, imported.names + parts[1:]) if imported else None


@functools.cache
def of_object(name: str) -> Resource | None:
    """The class for `"object": name`."""
    from stripe._object_classes import OBJECT_CLASSES

    if name not in OBJECT_CLASSES:
        return None
    module, class_name = OBJECT_CLASSES[name]
    file = package().joinpath(*module.split(".")[1:]).with_suffix(".py")
    return Resource(file, (class_name,))


ERROR = Resource(package() / "_error_object.py", ("ErrorObject",))
