"""``python -m examples.studio``: start the studio. See README.md beside this file."""

import argparse
import logging
import os
import sys
from pathlib import Path

import uvicorn

from examples.studio.app import Studio


def main() -> int:
    options = _parser().parse_args()
    service_key = options.service_key or os.environ.get("STUDIO_SERVICE_KEY", "")
    if not service_key:
        print("studio: give --service-key or set STUDIO_SERVICE_KEY (bps_…)", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        studio = Studio(portal_url=options.portal, service_key=service_key, data=options.data)
    except (ValueError, OSError) as error:
        print(f"studio: {error}", file=sys.stderr)
        return 2
    uvicorn.run(
        studio,
        host=options.host,
        port=options.port,
        log_level="warning",
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.studio",
        description="A small generation service that bills through the portal.",
    )
    parser.add_argument(
        "--portal", default=os.environ.get("PORTAL_URL", "http://127.0.0.1:8000"), help="its address"
    )
    parser.add_argument(
        "--service-key", help="bps_…; better set STUDIO_SERVICE_KEY, which no process list shows"
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder for jobs and results; made if missing"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100)
    return parser


if __name__ == "__main__":
    sys.exit(main())
