"""Which paths and verbs are Kubeflow's API: nothing else is ever asked for on a client's behalf.

Read off the swagger files of kubeflow/pipelines 2.17, with what its router serves beside them:
logs, `:read`, uploads. Left out is what is not for users: the reports of Kubeflow's own agents
(`workflows`, `scheduledworkflows`), the cache's `v1alpha1/tasks`, and services that were never
registered (`filters`, v2beta1's `auth` and `visualizations`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

#: `{id}` is one segment without a colon, which begins a verb; `{name}` may have one.
_TABLE = """
GET               v2beta1/healthz
GET,POST          v2beta1/experiments
GET,DELETE        v2beta1/experiments/{id}
POST              v2beta1/experiments/{id}:archive
POST              v2beta1/experiments/{id}:unarchive
GET,POST          v2beta1/pipelines
POST              v2beta1/pipelines/create
POST              v2beta1/pipelines/upload
POST              v2beta1/pipelines/upload_version
GET               v2beta1/pipelines/names/{name}
GET,PATCH,DELETE  v2beta1/pipelines/{id}
GET,POST          v2beta1/pipelines/{id}/versions
GET,PATCH,DELETE  v2beta1/pipelines/{id}/versions/{id}
GET,POST          v2beta1/runs
GET,DELETE        v2beta1/runs/{id}
POST              v2beta1/runs/{id}:archive
POST              v2beta1/runs/{id}:unarchive
POST              v2beta1/runs/{id}:terminate
POST              v2beta1/runs/{id}:retry
GET               v2beta1/runs/{id}/nodes/{name}/artifacts/{name}:read
GET               v2beta1/runs/{id}/tasks
GET               v2beta1/runs/{id}/tasks/{id}
GET               v2beta1/runs/{id}/artifacts
GET               v2beta1/runs/{id}/artifacts/{id}
GET               v2beta1/runs/{id}/artifact_tasks
GET               v2beta1/artifacts
GET               v2beta1/artifacts/{id}
GET               v2beta1/artifacts/{id}:read
GET               v2beta1/artifact_tasks
GET,POST          v2beta1/recurringruns
GET,DELETE        v2beta1/recurringruns/{id}
POST              v2beta1/recurringruns/{id}:enable
POST              v2beta1/recurringruns/{id}:disable
GET               v1beta1/healthz
GET               v1beta1/auth
GET,POST          v1beta1/experiments
GET,DELETE        v1beta1/experiments/{id}
POST              v1beta1/experiments/{id}:archive
POST              v1beta1/experiments/{id}:unarchive
GET,POST          v1beta1/jobs
GET,DELETE        v1beta1/jobs/{id}
POST              v1beta1/jobs/{id}/enable
POST              v1beta1/jobs/{id}/disable
GET               v1beta1/namespaces/{name}/pipelines/{name}
GET,POST          v1beta1/pipelines
POST              v1beta1/pipelines/upload
POST              v1beta1/pipelines/upload_version
GET,DELETE        v1beta1/pipelines/{id}
GET               v1beta1/pipelines/{id}/templates
POST              v1beta1/pipelines/{id}/default_version/{id}
GET,POST          v1beta1/pipeline_versions
GET,DELETE        v1beta1/pipeline_versions/{id}
GET               v1beta1/pipeline_versions/{id}/templates
GET,POST          v1beta1/runs
GET,DELETE        v1beta1/runs/{id}
POST              v1beta1/runs/{id}:archive
POST              v1beta1/runs/{id}:unarchive
POST              v1beta1/runs/{id}:reportMetrics
POST              v1beta1/runs/{id}/retry
POST              v1beta1/runs/{id}/terminate
GET               v1beta1/runs/{id}/nodes/{name}/artifacts/{name}:read
POST              v1beta1/visualizations/{name}
GET               v1alpha1/runs/{id}/nodes/{name}/log
"""


def _rows() -> Iterator[tuple[re.Pattern[str], frozenset[str]]]:
    for line in _TABLE.split("\n"):
        if line:
            verbs, template = line.split()
            pattern = re.escape(f"/apis/{template}")
            pattern = pattern.replace(r"\{id\}", "[^/:]+").replace(r"\{name\}", "[^/]+")
            yield re.compile(pattern), frozenset(verbs.split(","))


_ROWS = list(_rows())


def verbs_of(path: str) -> frozenset[str]:
    """The verbs of a decoded path; none where it is no path of the API.

    `upload` and the like are no ids: their own row comes before the one that would take them.
    """
    return next((verbs for pattern, verbs in _ROWS if pattern.fullmatch(path)), frozenset())
