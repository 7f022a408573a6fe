"""Every key name, once: arq's own, as arq 0.28 defines them (`arq.constants`), and ours under `arqlight:`."""

from arq import constants

# Names the Lua scripts see as KEY.<name>; those ending in ":" are prefixes.
KEYS: dict[str, str] = {
    # arq's own
    "payload": constants.job_key_prefix,
    "in_progress": constants.in_progress_key_prefix,
    "tries": constants.retry_key_prefix,
    "result": constants.result_key_prefix,
    "abort": constants.abort_jobs_ss,
    # ours: one job
    "job": "arqlight:job:",  # hash: what the journal knows of a job that ran and did not succeed
    "lines": "arqlight:lines",  # hash: job that runs or succeeded -> its record, a line
    "kept": "arqlight:payload:",  # string: the raw bytes of a job that failed or was cancelled
    "history": "arqlight:history:",  # list of JSON, newest first: failed attempts, retries by hand
    "trace": "arqlight:trace:",  # string for each job that was enqueued within a trace: traceparent
    # ours: indexes
    "queues": "arqlight:queues",  # set of queue keys that were seen
    "active_queues": "arqlight:active-queues",  # set of those of them that may hold jobs
    "looked_for_queues": "arqlight:looked-for-queues",  # string, for a while: somebody looked which queues hold jobs
    "can": "arqlight:can:",  # set for each worker: the tasks it has
    "had": "arqlight:had",  # hash: task -> the worker that announced it last
    "settling": "arqlight:settling",  # string, for a lease: what workers announced was lost, and they do it again
    "passed": "arqlight:passed:",  # string for a worker and queue: due jobs it passed over, for seconds
    "tasks": "arqlight:tasks",  # hash: task name -> JSON, as workers announced it
    "processing": "arqlight:processing:",  # sorted set for each queue: job -> started, ms
    "succeeded": "arqlight:succeeded",  # sorted sets: job -> ended, ms
    "failed": "arqlight:failed",
    "cancelled": "arqlight:cancelled",
    "groups": "arqlight:groups",  # sorted set: fingerprint -> when it was last seen, ms
    "group": "arqlight:group:",  # sorted set for each fingerprint: failed job -> ended, ms
    "group_about": "arqlight:group-about:",  # hash for each fingerprint: task, error, message, first seen
    # ours: what a running job tells, and what was counted
    "progress": "arqlight:progress",  # hash: running job -> JSON, written only while somebody looks
    "watched": "arqlight:watched",  # string: somebody looks at progress
    "logs": "arqlight:logs",  # stream of log lines, capped
    "log": "arqlight:log:",  # list for each job: its last lines, JSON
    "minute": "arqlight:minute:",  # hashes of counters for each minute, kept for an hour and a little
    "ten_minutes": "arqlight:ten-minutes:",  # the same for each ten minutes, kept for a week
    "totals": "arqlight:totals",  # hash: the same counters since ever, and failures by task
    # ours: workers
    "workers": "arqlight:workers",  # sorted set: worker -> end of its lease, ms
    "worker": "arqlight:worker:",  # hash: what a worker says of itself
    "left": "arqlight:left:",  # string: a worker that left in order
    "rescuer": "arqlight:rescuer:",  # string for each that looks for dead workers: since when it has had the server, ms
    "claimed": "arqlight:claimed:",  # set of the jobs a worker holds
    "stager": "arqlight:stager",  # string: the one worker that rings for plain arq clients and scheduled jobs
    "dead": "arqlight:dead",  # sorted set: worker that stopped without notice -> when that was found, ms
    "paused": "arqlight:paused",  # set of queues that nothing is claimed from
    "preserved": "arqlight:preserved",  # strings, for a while: somebody saw to the arguments of what waits
    "preserved_paused": "arqlight:preserved-paused",
    "overrides": "arqlight:overrides",  # hash: "queue:<key>" or "task:<name>" -> JSON of what was set on the page
    "overridden": "arqlight:overridden",  # pub/sub channel: the overrides changed
    "audit_of": "arqlight:audit:",  # sorted set for each kind of entry of the audit list: "<id> <JSON>", by id
    "audit": "arqlight:audit",  # list of JSON, newest first: entries of earlier versions, which are taken over
    "schedules": "arqlight:schedules",  # hash: name -> JSON of a periodic job
    "fired": "arqlight:fired",  # hash: schedule -> JSON of its last job
    "alerted": "arqlight:alerted:",  # string for each rule and place, for the quiet period
    "operations": "arqlight:operations",  # sorted set: work on many jobs at once -> when it was asked for, ms
    "operation": "arqlight:operation:",  # string for each: JSON
    "operating": "arqlight:operating:",  # string for each: the service that does it, for a few seconds
    "turns": "arqlight:turns:",  # string for each limit of a rate: when its next turn is, ms
    "slots": "arqlight:slots:",  # sorted set for each limit of so many at once: holder -> its latest end, ms
    "slot_line": "arqlight:slot-line:",  # hash for each: average time that one is held, last place in line
    "batches_made": "arqlight:batch-made:",  # string for each batch of licence keys: how many of it are committed
    "limits": "arqlight:limits",  # hash: queue -> how many of its jobs may run at once, over all workers
    # ours: who may come in
    "users": "arqlight:users",  # hash: name -> JSON, with the password's hash
    "answers": "arqlight:answers:",  # string for each: what was answered under an Idempotency-Key, for a day
    "tokens": "arqlight:tokens",  # hash: id -> JSON of an API token, with its hash
    "session": "arqlight:session:",  # string for each, under the cookie's hash: whose it is
    "signing_in": "arqlight:signing-in:",  # string for each sign-in that is under way at a provider
    "used_code": "arqlight:used-code:",  # string for each code of a second factor that was used, while it would count
    "tries_to_sign_in": "arqlight:tries:",  # counters, for a quarter of an hour
    # ours: waking
    "bell": "arqlight:bell:",  # list for each queue: tokens, each wakes one worker that waits
    "summons": "arqlight:summons:",  # pub/sub channel for each worker: a job of its own was called off
    # ours: the stream
    "events": "arqlight:events",
}
