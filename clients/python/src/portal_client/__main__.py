"""``python -m portal_client`` is the ``portal`` command."""

import sys

from portal_client.cli import main

sys.exit(main())
