"""The store's tables, as the migrations that build them; a released migration never changes.

Times are microseconds UTC. JSON columns hold text. `changed` is the store-wide counter's value at
a row's last change. A `state_history` is a list of `{"state", "update_time"}`, and "error" where
there is one. In a run's `runtime_config` are its `parameters` as it has them, typed, with defaults
and macros filled in; and where a client sent them, as they were `given`. `round` counts a run's
retries by the user from 1; `starts` how often its supervisor was started since it last came up;
`total` to `failed` the run's leaves. The settings `workers`, `min_free_bytes` and `forks` (0: tasks
are never forked) live in `meta`. `cache.files` lists the paths that a hit needs.

A recurring run fires by `cron`, by `interval_second`, or once where it has neither; `last_index`
and `last_scheduled_at` say what it fired last. Without a `pipeline_spec` it runs the newest version
of its pipeline. `error` is why it could not fire: {"code", "message"}; `failures` how often in a
row that was so, `retry_at` when it is tried again. Its runs are named after `name`.
"""

from __future__ import annotations

_FIRST = """
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value
) WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES ('changed', 0);

CREATE TABLE experiments (
    experiment_id TEXT PRIMARY KEY,
    display_name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL DEFAULT '',
    namespace TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    last_run_created_at INTEGER,
    storage_state TEXT NOT NULL DEFAULT 'AVAILABLE'
);

CREATE TABLE pipelines (
    pipeline_id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    namespace TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    tags TEXT
);

CREATE TABLE pipeline_versions (
    pipeline_version_id TEXT PRIMARY KEY,
    pipeline_id TEXT NOT NULL REFERENCES pipelines (pipeline_id),
    name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    code_source_url TEXT,
    package_url TEXT,
    pipeline_spec TEXT NOT NULL,
    tags TEXT,
    UNIQUE (pipeline_id, name)
);

CREATE INDEX pipeline_versions_created ON pipeline_versions (pipeline_id, created_at);

CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    experiment_id TEXT NOT NULL,
    pipeline_id TEXT,
    pipeline_version_id TEXT,
    recurring_run_id TEXT,
    pipeline_name TEXT NOT NULL DEFAULT '',
    service_account TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL,
    storage_state TEXT NOT NULL DEFAULT 'AVAILABLE',
    created_at INTEGER NOT NULL,
    scheduled_at INTEGER,
    started_at INTEGER,
    finished_at INTEGER,
    error TEXT,
    interpreter TEXT,
    caching INTEGER,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    round INTEGER NOT NULL DEFAULT 1,
    starts INTEGER NOT NULL DEFAULT 0,
    revision INTEGER NOT NULL DEFAULT 1,
    changed INTEGER NOT NULL,
    total INTEGER NOT NULL DEFAULT 0,
    running INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    state_history TEXT,
    runtime_config TEXT,
    platform_spec TEXT,
    pipeline_spec TEXT NOT NULL
);

CREATE INDEX runs_changed ON runs (changed);
CREATE INDEX runs_active ON runs (run_id) WHERE finished_at IS NULL;
CREATE INDEX runs_created ON runs (
    storage_state, created_at, run_id, state, experiment_id, pipeline_name, display_name
);
CREATE INDEX runs_finished ON runs (
    storage_state, IFNULL(finished_at, 9223372036854775807), run_id
);
CREATE INDEX runs_duration ON runs (
    storage_state, IFNULL(finished_at - started_at, 9223372036854775807), run_id
);
CREATE INDEX runs_name ON runs (storage_state, display_name COLLATE NOCASE, run_id);
CREATE INDEX runs_state ON runs (storage_state, state, run_id);
CREATE INDEX runs_experiment ON runs (experiment_id, storage_state, created_at, run_id);
CREATE INDEX runs_pipeline_name ON runs (pipeline_name, storage_state, created_at, run_id);
CREATE INDEX runs_pipeline ON runs (pipeline_id, created_at);

CREATE TABLE deleted_runs (
    run_id TEXT PRIMARY KEY,
    changed INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX deleted_runs_changed ON deleted_runs (changed);

CREATE TABLE tasks (
    run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    task_id TEXT NOT NULL,
    uid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    type TEXT NOT NULL,
    parent TEXT,
    iteration INTEGER,
    component TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL,
    created_at INTEGER,
    started_at INTEGER,
    finished_at INTEGER,
    error TEXT,
    inputs TEXT,
    outputs TEXT,
    cache_key TEXT NOT NULL DEFAULT '',
    cached_from_run TEXT,
    cached_from_task TEXT,
    state_history TEXT,
    PRIMARY KEY (run_id, task_id)
);

CREATE TABLE attempts (
    run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    task_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    round INTEGER NOT NULL DEFAULT 1,
    state TEXT NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    exit_code INTEGER,
    error TEXT,
    directory TEXT NOT NULL,
    boot TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run_id, task_id, number)
) WITHOUT ROWID;

CREATE TABLE artifacts (
    run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    artifact_id TEXT NOT NULL,
    uid TEXT NOT NULL UNIQUE,
    task_id TEXT NOT NULL,
    output_key TEXT NOT NULL,
    idx INTEGER NOT NULL DEFAULT 0,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    uri TEXT NOT NULL,
    metadata TEXT,
    size INTEGER,
    created_at INTEGER,
    PRIMARY KEY (run_id, artifact_id)
);

CREATE INDEX artifacts_uri ON artifacts (uri);

CREATE TABLE cache (
    cache_key TEXT NOT NULL,
    pipeline_name TEXT NOT NULL,
    namespace TEXT NOT NULL DEFAULT '',
    run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    task_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    files TEXT,
    PRIMARY KEY (cache_key, pipeline_name, namespace, run_id, task_id)
) WITHOUT ROWID;

CREATE INDEX cache_run ON cache (run_id)
"""

_RECURRING_RUNS = """
CREATE TABLE recurring_runs (
    recurring_run_id TEXT PRIMARY KEY,
    display_name TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    experiment_id TEXT NOT NULL,
    service_account TEXT NOT NULL DEFAULT '',
    enabled INTEGER NOT NULL,
    max_concurrency INTEGER NOT NULL,
    no_catchup INTEGER NOT NULL DEFAULT 0,
    cron TEXT,
    interval_second INTEGER,
    start_time INTEGER,
    end_time INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_index INTEGER NOT NULL DEFAULT 0,
    last_scheduled_at INTEGER,
    failures INTEGER NOT NULL DEFAULT 0,
    retry_at INTEGER,
    error TEXT,
    pipeline_id TEXT,
    pipeline_version_id TEXT,
    runtime_config TEXT,
    pipeline_spec TEXT
);

CREATE INDEX recurring_runs_created ON recurring_runs (created_at, recurring_run_id);
CREATE INDEX recurring_runs_experiment ON recurring_runs (experiment_id, created_at);
CREATE INDEX runs_recurring ON runs (recurring_run_id, finished_at)
    WHERE recurring_run_id IS NOT NULL
"""

#: The index that a list is sorted, filtered and counted by, since the rows themselves are large.
_LISTED_RUNS = """
DROP INDEX runs_created;
CREATE INDEX runs_listed ON runs (
    storage_state, created_at, run_id, state, display_name, experiment_id, pipeline_name,
    recurring_run_id, started_at, finished_at, scheduled_at, description
)
"""

#: What no hit may cross: on Kubeflow a namespace, here the Python that a step ran on.
_CACHE_SCOPE = """
ALTER TABLE cache RENAME COLUMN namespace TO scope
"""

#: Migration i brings version i to version i + 1.
MIGRATIONS = [_FIRST, _RECURRING_RUNS, _LISTED_RUNS, _CACHE_SCOPE]
