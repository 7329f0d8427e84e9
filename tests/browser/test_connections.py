"""Connections by form and panel: tested, added, changed, switched and removed, secrets kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.api import Api
from tests.browser.conftest import wait_for_lab
from tests.browser.lab import Lab
from tests.browser.screen import ConnectionForm, RunsPanel
from tests.kubeflow import Answer, Cluster, Request, in_thread

pytestmark = pytest.mark.labs("token")

TOKEN = "a-token-that-is-good"
NAMESPACES = ("team-a", "team-b")
REFUSED = re.compile("401|403|400")
#: The server looks at its connections every 15 s.
CONNECTIONS_MS = 30_000


@pytest.fixture
def cluster() -> Cluster:
    """A multi-user Kubeflow with a run in each of two namespaces, which its dashboard lists."""
    cluster = Cluster()
    cluster.multi_user = True
    cluster.users = {TOKEN: "ann@example.com"}
    for namespace in NAMESPACES:
        cluster.access.add(("ann@example.com", namespace))
        experiment = cluster.add_experiment("Default", namespace=namespace)
        cluster.add_run(f"run of {namespace}", experiment_id=experiment.id, namespace=namespace)

    async def dashboard(request: Request) -> Answer | None:
        if request.path == "/api/workgroup/env-info" and request.user:
            return Answer.json({"namespaces": [{"namespace": name} for name in NAMESPACES]})
        return Answer(404) if request.path.startswith("/api/") else None

    cluster.routers.append(dashboard)
    return cluster


@pytest.fixture
def address(cluster: Cluster) -> Iterator[str]:
    with in_thread(cluster) as address:
        yield address


@pytest.fixture
def forget(api: Api) -> Iterator[None]:
    """Removes what the test added, so that the next test of the session finds the lab as it was."""
    yield
    api.remove_connections()


@pytest.mark.usefixtures("forget")
def test_connection_is_tested_corrected_and_added_then_changed_and_removed(
    page: Page, lab: Lab, api: Api, address: str, expected_errors: list[re.Pattern[str]]
) -> None:
    expected_errors.append(REFUSED)
    panel = RunsPanel(page)
    expect(panel.node).to_contain_text("No Kubeflow endpoint found.")
    panel.node.get_by_role("button", name="Add one…").click()
    form = ConnectionForm(page, "Add connection")
    expect(form.field("Address")).to_be_focused()

    form.field("Address").fill(address)
    expect(form.field("Name")).to_have_value("host-127-0-0-1")
    form.field("Name").fill("ann")
    form.field("Namespace").fill("team-a")
    form.field("Sign-in").select_option(label="Token")
    form.field("Token").fill("a-token-that-is-not")
    form.test()
    expect(form.step("You are signed in")).to_have_attribute("data-state", "failed")
    expect(form.step("You may list runs")).to_have_attribute("data-state", "skipped")
    expect(form.field("Token")).to_have_attribute("aria-invalid", "true")
    expect(form.field("Token")).to_have_value("a-token-that-is-not")

    form.field("Token").fill(TOKEN)
    expect(form.field("Token")).to_have_attribute("aria-invalid", "false")
    form.test()
    expect(form.outcome).to_have_text("It works: 2.17.0 · 2 namespaces")
    offered = form.node.locator("datalist option")
    assert [option.get_attribute("value") for option in offered.all()] == list(NAMESPACES)
    form.submit()
    expect(panel.picker).to_contain_text("ann")
    expect(panel.row("run of team-a")).to_be_visible()
    expect(panel.node).not_to_contain_text("No Kubeflow endpoint found.")

    panel.act_on_connection("Change", "ann")
    form = ConnectionForm(page, "Change connection “ann”")
    expect(form.field("Token")).to_have_value("")
    expect(form.field("Token")).to_have_attribute("type", "password")
    form.field("Namespace").fill("team-b")
    form.submit()
    expect(panel.row("run of team-b")).to_be_visible()
    expect(panel.row("run of team-a")).to_have_count(0)
    assert TOKEN not in api.connections()
    assert TOKEN not in lab.log.read_text()

    panel.act_on_connection("Remove", "ann")
    question = page.locator(".jp-Dialog", has_text="Remove the connection “ann”?")
    question.get_by_role("button", name="Remove").click()
    expect(panel.picker).to_contain_text("local")
    assert '"ann"' not in api.connections()


def test_what_takes_the_focus_from_a_form_gives_it_back(page: Page) -> None:
    RunsPanel(page).node.get_by_role("button", name="Add one…").click()
    form = ConnectionForm(page, "Add connection")
    form.field("Name").click()
    page.keyboard.type("be")
    page.evaluate("document.querySelector('.jp-PipelinesConnection-button').focus()")
    page.keyboard.type("fore")
    expect(form.field("Name")).to_have_value("before")
    expect(form.field("Address")).to_have_value("")
    page.keyboard.press("Escape")


@pytest.mark.usefixtures("forget")
def test_namespace_is_switched_and_a_lost_sign_in_renewed_in_the_panel(
    page: Page, api: Api, cluster: Cluster, address: str, expected_errors: list[re.Pattern[str]]
) -> None:
    expected_errors.append(REFUSED)
    api.add_connection("ann", address, sign_in={"method": "token", "token": TOKEN})
    panel = RunsPanel(page)
    panel.connection_menu().get_by_role("menuitemradio", name="ann").click()
    expect(panel.node).to_contain_text("Choose a namespace to see its runs.")

    panel.namespaces.click()
    offered = panel.node.get_by_role("listbox", name="Namespaces").get_by_role("option")
    expect(offered).to_have_text(list(NAMESPACES))
    offered.first.click()
    expect(panel.row("run of team-a")).to_be_visible()
    panel.namespaces.click()
    page.keyboard.type("m-b")
    page.keyboard.press("Enter")
    expect(panel.row("run of team-b")).to_be_visible()
    expect(panel.row("run of team-a")).to_have_count(0)
    expect(panel.namespaces).to_be_focused()

    cluster.users = {"another-token": "ann@example.com"}
    panel.node.get_by_role("button", name="Refresh runs").click()
    panel.node.get_by_role("button", name="Renew sign-in…").click()
    form = ConnectionForm(page, "Change connection “ann”")
    expect(form.field("Token")).to_be_focused()
    page.keyboard.type("another-token")
    page.keyboard.press("Enter")
    expect(form.node).to_be_hidden()
    expect(panel.picker.get_by_role("img", name="Ready")).to_be_visible()
    expect(panel.node.get_by_role("button", name="Renew sign-in…")).to_have_count(0)

    page.reload()
    wait_for_lab(page)
    panel = RunsPanel(page)
    expect(panel.picker).to_contain_text("ann")
    expect(panel.row("run of team-b")).to_be_visible()


@pytest.mark.usefixtures("forget")
def test_forbidden_namespace_is_named_and_left_by_the_picker(
    page: Page, api: Api, cluster: Cluster, address: str, expected_errors: list[re.Pattern[str]]
) -> None:
    expected_errors.append(REFUSED)
    token = {"method": "token", "token": TOKEN}
    api.add_connection("ann", address, sign_in=token, namespace="team-c")
    panel = RunsPanel(page)
    panel.connection_menu().get_by_role("menuitemradio", name="ann").click()
    expect(panel.node).to_contain_text("You may not list runs in namespace team-c")
    expect(panel.node).to_contain_text("Choose another namespace, or ask its owner for access.")
    expect(panel.picker.get_by_role("img", name="No access")).to_be_visible()
    expect(panel.node.get_by_role("button", name="Renew sign-in…")).to_have_count(0)

    panel.namespaces.click()
    panel.node.get_by_role("option", name="team-a").click()
    expect(panel.row("run of team-a")).to_be_visible()
    expect(panel.picker.get_by_role("img", name="Ready")).to_be_visible()
    expect(panel.node).not_to_contain_text("You may not list runs")

    cluster.access.clear()
    panel.node.get_by_role("button", name="Refresh runs").click()
    expect(panel.picker.get_by_role("img", name="No access")).to_be_visible()
    expect(panel.node).to_contain_text("You may not list runs in namespace team-a")
    cluster.access.add(("ann@example.com", "team-a"))  # its owner was asked
    expect(panel.node).not_to_contain_text("You may not list runs", timeout=CONNECTIONS_MS)
    expect(panel.row("run of team-a")).to_be_visible()
