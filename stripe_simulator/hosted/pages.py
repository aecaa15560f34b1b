"""Which page answers which path."""

from urllib.parse import parse_qsl

from stripe_simulator import jobs
from stripe_simulator.hosted import checkout, html, receipt, three_d_secure
from stripe_simulator.server.messages import Reply, Request
from stripe_simulator.world import World

_LONGEST_VALUE = 500


class Pages:
    def __init__(self, world: World) -> None:
        self.world = world

    def handle(self, request: Request) -> Reply:
        if request.path == html.STYLE_PATH:
            return html.style()
        with self.world.store.transaction():
            jobs.run_due(self.world)
            return self._page(request)

    def _page(self, request: Request) -> Reply:
        folder, _, object_id = request.path.strip("/").rpartition("/")
        found = self.world.store.get(object_id)
        kind = (found or {}).get("object")
        posted = request.method == "POST"
        if found is None or request.method not in ("GET", "POST"):
            return _not_found()
        if folder == "c/pay" and kind == "checkout.session":
            return (
                checkout.pay(self.world, found, _form(request))
                if posted
                else checkout.show(self.world, found)
            )
        if folder == "3d_secure" and kind in ("payment_intent", "setup_intent"):
            answering = three_d_secure.answer(self.world, found, _form(request)) if posted else None
            return answering or three_d_secure.show(self.world, found)
        if folder == "receipts" and kind == "charge" and found["paid"]:
            return receipt.show(found)
        return _not_found()


def _not_found() -> Reply:
    return html.message("Page not found", "The simulator has no such page.", status=404)


def _form(request: Request) -> dict[str, str]:
    text = request.body.decode("utf-8", "replace")
    return {
        name: value[:_LONGEST_VALUE].replace("\x00", "")
        for name, value in parse_qsl(text, keep_blank_values=True)
    }
