#!/usr/bin/env python3
"""Every command of the portal: ``python3 manage.py up``, ``test``, ``status``, and Django's own.

Any Python from 3.11 will do; the first run installs the rest beside the code.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this file alone must still be readable to an older Python
    sys.exit("The portal needs Python 3.11 or newer; this is Python %d.%d." % sys.version_info[:2])  # noqa: UP031

from config.embedded import commands

if __name__ == "__main__":
    sys.exit(commands.main(sys.argv))
