"""In a Kubeflow notebook the panel shows the user's runs with nothing configured."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import wait_for_lab
from tests.browser.lab import Lab
from tests.browser.screen import ConnectionForm, Files, RunsPanel
from tests.kubeflow import Cluster, in_thread

pytestmark = pytest.mark.labs("kubeflow")

USER = "ann@example.com"
#: How a workspace holds what the user chose.
CHOICE = '"jupyterlab-pipelines:panel":{"connection":"local"}'


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """A multi-user Kubeflow that knows the pod's first token, with a run in the pod's namespace."""
    cluster = Cluster()
    cluster.multi_user = True
    cluster.users = {"first-token": USER}
    cluster.access = {(USER, "team-a")}
    experiment = cluster.add_experiment("Default", namespace="team-a")
    cluster.add_run("run of the cluster", experiment_id=experiment.id, namespace="team-a")
    return cluster


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Kubernetes mounts into the pod: the namespace, and the token for pipelines."""
    folder = tmp_path_factory.mktemp("secrets")
    for file, content in {
        "kubernetes.io/serviceaccount/namespace": "team-a",
        "kubeflow/pipelines/token": "first-token",
    }.items():
        (folder / file).parent.mkdir(parents=True)
        (folder / file).write_text(content)
    return folder


@pytest.fixture(scope="module")
def lab(cluster: Cluster, secrets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with the flags of Kubeflow's images, in a pod of this cluster."""
    with in_thread(cluster) as address:
        running = Lab.in_kubeflow(Path(sys.executable), tmp_path_factory.mktemp("pod"))
        running.variables = {
            "NB_PREFIX": running.prefix,
            "KF_PIPELINES_ENDPOINT": address,
            "KF_PIPELINES_SA_TOKEN_PATH": str(secrets / "kubeflow/pipelines/token"),
            "JUPYTERLAB_PIPELINES_POD_SECRETS": str(secrets),
        }
        running.start()
        try:
            yield running
        finally:
            running.stop()


def test_panel_opens_on_what_was_found_until_the_user_chooses_another(
    page: Page, cluster: Cluster, secrets: Path
) -> None:
    panel = RunsPanel(page)
    expect(panel.picker).to_contain_text("kubeflow")
    expect(panel.row("run of the cluster")).to_be_visible()
    expect(panel.namespaces).to_have_text("team-a")
    expect(page.locator(".jp-Dialog")).to_have_count(0)

    cluster.users = {"second-token": USER}
    (secrets / "kubeflow/pipelines/token").write_text("second-token")
    cluster.add_run("run after the token's rotation", namespace="team-a")
    panel.node.get_by_role("button", name="Refresh runs").click()
    expect(panel.row("run after the token's rotation")).to_be_visible()

    menu = panel.connection_menu()
    found = menu.get_by_role("menuitemradio", name="kubeflow")
    expect(found).to_have_attribute("aria-checked", "true")
    expect(found).to_contain_text("Found in KF_PIPELINES_ENDPOINT")
    expect(menu.get_by_role("menuitem", name=re.compile("Remove"))).to_have_count(0)
    # The lab saves the workspace a moment after the change.
    with page.expect_request(lambda asked: CHOICE in (asked.post_data or "")):
        menu.get_by_role("menuitemradio", name="local").click()
    expect(panel.node).to_contain_text("No runs yet")
    page.reload()
    wait_for_lab(page)
    panel = RunsPanel(page)
    expect(panel.node).to_contain_text("No runs yet")
    expect(panel.picker).to_contain_text("local")


def test_what_was_found_is_tested_step_by_step(page: Page, cluster: Cluster) -> None:
    panel = RunsPanel(page)
    panel.act_on_connection("Test", "kubeflow")
    test = ConnectionForm(page, "Test connection “kubeflow”")
    expect(test.node).to_contain_text("Found in KF_PIPELINES_ENDPOINT")
    expect(test.node).to_contain_text("Namespace team-a")
    expect(test.outcome).to_have_text("It works: 2.17.0 · 1 namespace")
    expect(test.step("You are signed in")).to_have_attribute("data-state", "ok")

    cluster.access.clear()
    again = test.node.get_by_role("button", name="Test connection")
    again.focus()
    page.keyboard.press("Enter")
    step = test.step("You may list runs")
    expect(step).to_have_attribute("data-state", "failed")
    expect(step).to_contain_text("you may not list runs in namespace team-a")
    cluster.access.add((USER, "team-a"))
    test.accept.click()
    expect(test.node).to_be_hidden()


def test_who_is_about_to_run_here_is_told_that_the_run_ends_with_the_pod(page: Page) -> None:
    dialog = Files(page).run_pipeline("pipelines", "digits.yaml")
    where = dialog.field("Run on")
    where.select_option("kubeflow")
    expect(dialog.node).not_to_contain_text("ends with this notebook's pod")
    where.select_option("local")
    expect(dialog.node).to_contain_text("A run here ends with this notebook's pod")
    dialog.cancel()
