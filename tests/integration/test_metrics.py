"""What Prometheus reads."""

from typing import Any

from arq.connections import ArqRedis
from prometheus_client.parser import text_string_to_metric_families

from arqlight.settings import Settings
from tests.conftest import Client, StartWorker
from tests.support.access import add_token, guarded
from tests.support.waiting import eventually


async def work(ctx: dict[str, Any]) -> None:
    return


async def boom(ctx: dict[str, Any]) -> None:
    raise ValueError("no")


async def read(client: Client, **headers: str) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels."""
    answer = await client.get("/metrics", headers=headers)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(await answer.text())
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


async def test_the_figures_are_those_of_the_page(client: Client, pool: ArqRedis, start_worker: StartWorker) -> None:
    for number in range(3):
        await pool.enqueue_job("work", _job_id=f"waits-{number}", _queue_name="arq:queue:idle")
    await pool.enqueue_job("work", _defer_by=600)
    await start_worker([work, boom], max_tries=1)
    for number in range(7):
        await pool.enqueue_job("work", _job_id=f"runs-{number}")
    for number in range(2):
        await pool.enqueue_job("boom", _job_id=f"fails-{number}")
    socket = await client.ws_connect("/api/v1/feed")

    async def all_ended() -> bool:
        return (await pool.zcard("arqlight:succeeded"), await pool.zcard("arqlight:failed")) == (7, 2)

    await eventually(all_ended)
    await eventually(lambda: pool.sismember("arqlight:queues", "arq:queue:idle"))
    found = await read(client)
    assert found["arqlight_connection_up", "default"] == 1
    assert found["arqlight_jobs", "default", "idle", "queued"] == 3
    assert found["arqlight_jobs", "default", "default", "scheduled"] == 1
    assert found["arqlight_oldest_waiting_seconds", "default", "idle"] > 0
    assert found["arqlight_failed_jobs", "default"] == 2
    assert found["arqlight_workers", "default"] == 1
    assert found["arqlight_queue_workers", "default", "idle"] == 0
    assert found["arqlight_jobs_ended_total", "default", "default", "succeeded"] == 7
    assert found["arqlight_jobs_ended_total", "default", "default", "failed"] == 2
    assert found["arqlight_failures_total", "default", "boom"] == 2
    for histogram in ("arqlight_wait_seconds", "arqlight_run_seconds"):
        buckets = [value for name, value in found.items() if name[0] == f"{histogram}_bucket"]
        assert buckets == sorted(buckets)
        assert buckets[-1] == found[f"{histogram}_count", "default", "default"] == 9
        assert 0 <= found[f"{histogram}_sum", "default", "default"] < 60
    assert found["arqlight_feed_subscribers",] == 1
    assert found["arqlight_feed_dropped_total", "too slow"] == 0
    assert found["arqlight_server_memory_bytes", "default"] > 100_000
    assert found["process_resident_memory_bytes",] > 1_000_000
    await socket.close()


async def test_a_token_for_metrics_reads_them_and_nothing_else(pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings) as client:
        _, token = await add_token(client, "metrics")
        assert (await client.get("/metrics")).status == 401
        assert (await read(client, **token))["arqlight_connection_up", "default"] == 1
        assert (await client.get("/metrics", headers={"Host": "10.1.2.3:8080", **token})).status == 421
        assert (await client.get("/", headers=token)).status == 403
