"""The command line: `python -m stripe_simulator --port 12111 --state stripe.sqlite …`."""

import argparse
import ipaddress
import os
import sys
from pathlib import Path

import uvicorn

from stripe_simulator.server.app import Application
from stripe_simulator.server.connections import CuttableProtocol


def main() -> None:
    arguments = _arguments()
    if os.environ.get("DJANGO_SETTINGS_MODULE", "").endswith("production"):
        sys.exit("The Stripe simulator moves no money and does not start with production settings.")
    if not _is_loopback(arguments.host):
        sys.exit(f"The Stripe simulator listens on loopback only, not on {arguments.host}.")
    if bool(arguments.webhook_url) != bool(arguments.webhook_secret):
        sys.exit("--webhook-url and --webhook-secret belong together: give both or neither.")
    endpoint = (arguments.webhook_url, arguments.webhook_secret) if arguments.webhook_url else None
    base_url = arguments.public_url or f"http://{arguments.host}:{arguments.port}"
    application = Application(arguments.state, base_url.rstrip("/"), endpoint)
    print(f"Stripe simulator on {base_url}, state in {arguments.state}", flush=True)
    uvicorn.run(
        application,
        host=arguments.host,
        port=arguments.port,
        http=CuttableProtocol,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="stripe_simulator", description="A stand-in for api.stripe.com on loopback."
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (default: 127.0.0.1)")
    parser.add_argument(
        "--state", type=Path, required=True, metavar="FILE.sqlite", help="created if it is missing"
    )
    parser.add_argument("--webhook-url", help="gets every event, besides the endpoints made through the API")
    parser.add_argument("--webhook-secret", help="signs what is sent to --webhook-url (whsec_…)")
    parser.add_argument(
        "--public-url", help="where browsers reach the hosted pages (default: http://HOST:PORT)"
    )
    return parser.parse_args()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    main()
