"""What happens later by itself, by the test clock: refunds fail, disputes open, sessions expire."""

from collections.abc import Callable

from stripe_simulator.world import World

Job = Callable[[World, str], None]
_JOBS: dict[str, Job] = {}


def job(name: str) -> Callable[[Job], Job]:
    def register(run: Job) -> Job:
        _JOBS[name] = run
        return run

    return register


def run_due(world: World) -> None:
    """Run every job that is due, the ones they start included. Call inside a transaction."""
    request, world.request_id = world.request_id, None
    key, world.idempotency_key = world.idempotency_key, None
    while row := world.store.db.execute(
        "DELETE FROM jobs WHERE id = (SELECT id FROM jobs WHERE due <= ? ORDER BY due, id LIMIT 1) "
        "RETURNING name, object",
        (world.now(),),
    ).fetchone():
        _JOBS[row["name"]](world, row["object"])
    world.request_id, world.idempotency_key = request, key


def any_due(world: World) -> bool:
    row = world.store.db.execute("SELECT 1 FROM jobs WHERE due <= ? LIMIT 1", (world.now(),)).fetchone()
    return row is not None
