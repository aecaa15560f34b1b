"""One file per resource: its object, and what each operation does. Importing a file registers its routes."""

import importlib
import pkgutil


def load() -> None:
    """Register every resource."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
