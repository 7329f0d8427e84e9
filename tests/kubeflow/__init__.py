"""A Kubeflow Pipelines endpoint for tests: the real protocol over data that a test lays down.

Written from kubeflow/pipelines 2.17's Go sources, independent of the embedded engine, so that it
can judge both the remote backend and the engine. Nothing runs here: a run goes through the states
of its plan by the clock.

In the test's own event loop, on another thread (for blocking clients such as `kfp.Client`), and as
a process of its own:

    cluster = Cluster()
    run = cluster.add_run("train", spec=SPEC, state="RUNNING", task_details=[...])
    async with serving(cluster) as url: ...       # http://127.0.0.1:PORT
    with in_thread(cluster) as url: ...
    python -m tests.kubeflow --runs 100 --artifact minio/bucket/big=1GiB   # prints its address

What a test may lay down (`cluster.py`, `records.py`):

- `add_experiment`, `add_pipeline`, `add_version`, `add_run`, `add_recurring_run`: records, which
  are served as v2beta1 and v1beta1 alike. They may be changed while the server runs.
- A run's `task_details` are served as they are; where there are none but a `workflow` (an Argo
  Workflow as a dict), they are derived from its nodes as Kubeflow does. `workflow` is what
  v1beta1 serves as `pipeline_runtime.workflow_manifest`. `tasks`, `artifacts` and
  `artifact_tasks` are the coming Task API's (404 while they are None).
- `plan` of a run, `cluster.plan` of new ones: `[(seconds after the start, state), ...]`;
  `cluster.clock` may be replaced.
- `cluster.objects[source, bucket, key]`: bytes of the UI server's `/artifacts/...`;
  `cluster.logs[run_id, node_id]`: bytes of `/apis/v1alpha1/runs/.../log`;
  `cluster.pods[namespace, pod]`: bytes of `/k8s/pod/logs`;
  `cluster.declared[run_id, node_id, name]`: bytes of `.../artifacts/{name}:read`.
  `Sized(n)` stands for n bytes that are made as they are sent.
- `cluster.multi_user = True` with `cluster.users = {token: user}` and
  `cluster.access = {(user, namespace)}`: 401 and SubjectAccessReview's 403. In single-user mode a
  bearer token is asked for where there are `users` at all.
- `cluster.asked`: a Counter of "METHOD /path"; `cluster.seen`: every request.
- `cluster.routers`: callables `async (Request) -> Answer | None`, asked before all built-in
  routes. A gate (a login page, Dex) or a further protocol (MLMD's gRPC-web at
  `/ml_metadata.MetadataStoreService/`) is one more of them; see `http.py`.

`faults.py` has the proxy that delays, throttles, cuts, corrupts and redirects between a client and
any upstream.
"""

from .cluster import Cluster, Sized
from .http import Answer, Refusal, Request, Router
from .records import Experiment, Pipeline, RecurringRun, Run, Version
from .server import in_thread, serving

__all__ = [
    "Answer",
    "Cluster",
    "Experiment",
    "Pipeline",
    "RecurringRun",
    "Refusal",
    "Request",
    "Router",
    "Run",
    "Sized",
    "Version",
    "in_thread",
    "serving",
]
