"""How a job and its results look in JSON. Amounts are decimal strings in the account's unit."""

from datetime import UTC, datetime
from decimal import Decimal

from examples.studio.billing import currency_fields, routing
from examples.studio.jobs import FINAL, Job, Result, State

_SHOWN = {
    State.ACCEPTED: "running",
    State.DELIVERED: "running",
    State.FAILING: "running",
    State.COMPLETED: "completed",
    State.FAILED: "failed",
}


def job(job: Job, results: list[Result], base_url: str) -> dict[str, object]:
    """``metadata.cost_estimate`` while in progress, ``metadata.cost`` too once the job is finished."""
    answer: dict[str, object] = {
        "id": job.id,
        "status": _SHOWN.get(job.state, "accepting"),
        "model": job.model,
        "operation": job.operation,
        "charge": job.charge,
        "unit": job.unit,
        "created_at": _time(job.created_at),
        "metadata": _metadata(job),
    }
    if job.balance is not None:
        answer["balance"] = format(job.balance, "f")
    answer |= currency_fields(job.unit, {"cost": _final_cost(job), "balance": job.balance})
    if job.state is State.FAILED:
        answer["failure"] = job.failure
    if job.state is State.COMPLETED:
        answer["results"] = [result(item, base_url) for item in results]
    return answer


def result(result: Result, base_url: str) -> dict[str, object]:
    return {
        "file": result.id,
        "url": f"{base_url}/v1/results/{result.id}",
        "content_type": result.content_type,
        "width": result.width,
        "height": result.height,
        "bytes": result.size,
        "expires_at": _time(result.expires_at),
    }


def _metadata(job: Job) -> dict[str, str]:
    metadata: dict[str, str] = {}
    cost = _final_cost(job)
    if cost is not None:
        metadata["cost"] = format(cost, "f")
    if job.cost_estimate is not None:
        metadata["cost_estimate"] = format(job.cost_estimate, "f")
    for name, value in routing(job).body().items():
        metadata[name] = str(value)
    return metadata


def _final_cost(job: Job) -> Decimal | None:
    """Known from the start for what is charged on acceptance, otherwise once the job is finished."""
    return job.cost if job.state in FINAL or job.charge_settled else None


def _time(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
