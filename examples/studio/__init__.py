"""A small generation service that bills through the portal's HTTP API and through nothing else.

It imports no Django and no part of the portal: only the client in ``clients/python``, which it finds beside
itself when that is not installed.
"""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("portal_client") is None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients" / "python" / "src"))
