"""What a user sees and does in the lab: a class for each part, by roles and visible words."""

from __future__ import annotations

import re

from playwright.sync_api import FrameLocator, Locator, Page, expect

#: A step that imports scikit-learn on a busy machine takes its time.
RUN_MS = 90_000
CELL_MS = 60_000

STATE = "data-pipelines-state"


def choose(page: Page, entry: str) -> None:
    """Click an entry of the open context menu."""
    page.locator(".lm-Menu-item", has_text=entry).click()


class Files:
    """The file browser."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, *names: str) -> None:
        """Go down through folders and open what the last name says."""
        for name in names:
            self.entry(name).dblclick()

    def run_pipeline(self, *names: str) -> PipelineDialog:
        """Right-click a compiled pipeline and ask to run it."""
        self.open(*names[:-1])
        self.entry(names[-1]).click(button="right")
        choose(self.page, "Run pipeline…")
        return PipelineDialog(self.page, f"Run {names[-1]}")

    def entry(self, name: str) -> Locator:
        exact = re.compile(f"^{re.escape(name)}$")
        text = self.page.locator(".jp-DirListing-itemText", has_text=exact)
        return self.page.locator(".jp-DirListing-item", has=text)


class Notebook:
    """The notebook in front."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.panel = page.locator(".jp-NotebookPanel:visible")
        # A cell that is run sooner starts a second kernel.
        expect(page.locator("#jp-main-statusbar")).to_contain_text("(ipykernel) | Idle")

    def cell(self, index: int) -> Locator:
        """A cell by its place among all cells, the first being 0."""
        return self.panel.locator(f'.jp-Cell[data-windowed-list-index="{index}"]')

    def run(self, first: int, last: int) -> None:
        """Run cells in the kernel, one after the other, as Shift+Enter does."""
        self._activate(first)
        for _ in range(first, last + 1):
            self.page.keyboard.press("Shift+Enter")
        expect(self.cell(last).locator(".jp-InputPrompt")).to_have_text(
            re.compile(r"^\[\d+\]:$"), timeout=CELL_MS
        )

    def run_as_step(self, first: int, last: int) -> StepDialog:
        """Select cells, right-click one of them and ask for a pipeline step."""
        self._activate(first)
        for _ in range(first, last):
            self.page.keyboard.press("Shift+ArrowDown")
        expect(self.panel.locator(".jp-Cell.jp-mod-selected")).to_have_count(last - first + 1)
        self.cell(last).locator(".jp-InputPrompt").click(button="right")
        choose(self.page, "Run as pipeline step…")
        return StepDialog(self.page)

    def output(self, index: int) -> Locator:
        """What a cell has put out."""
        return self.cell(index).locator(".jp-OutputArea")

    def _activate(self, index: int) -> None:
        self.cell(index).locator(".jp-InputPrompt").click()
        self.page.keyboard.press("Escape")
        expect(self.cell(index)).to_have_class(re.compile(r"\bjp-mod-active\b"))


class FormDialog:
    """A dialog of ours that sends a form."""

    def __init__(self, page: Page, title: str) -> None:
        self.page = page
        self.node = page.locator(".jp-Dialog", has_text=title)
        expect(self.node).to_be_visible()

    @property
    def accept(self) -> Locator:
        return self.node.locator(".jp-Dialog-footer .jp-mod-accept")

    @property
    def alerts(self) -> Locator:
        """What is wrong, in the dialog's own words."""
        return self.node.get_by_role("alert")

    def field(self, label: str) -> Locator:
        return self.node.get_by_label(label, exact=True)

    def cancel(self) -> None:
        self.node.locator(".jp-Dialog-footer .jp-mod-reject").click()
        expect(self.node).to_be_hidden()

    def submit(self) -> None:
        self.accept.click()
        expect(self.node).to_be_hidden()

    def run(self) -> RunViewer:
        """Press Run; the run's viewer comes to the front."""
        self.submit()
        return RunViewer(self.page)


class StepDialog(FormDialog):
    """ "Run as pipeline step": what will run, with what."""

    def __init__(self, page: Page) -> None:
        super().__init__(page, "Run as pipeline step")

    def input(self, name: str) -> Locator:
        """The row of a variable."""
        cell = self.page.locator("code", has_text=re.compile(f"^{name}$"))
        return self.node.locator(".jp-PipelinesSubmit-inputs tbody tr", has=cell)

    def source(self, name: str) -> Locator:
        return self.node.get_by_label(f"Where {name} comes from")

    @property
    def packages(self) -> Locator:
        return self.node.locator(".jp-PipelinesSubmit-package")

    @property
    def code(self) -> Locator:
        return self.node.get_by_role("region", name="Code that will run")


class PipelineDialog(FormDialog):
    """ "Run FILE": the run's name, its parameters and where it runs."""

    def parameter(self, name: str) -> Locator:
        """A parameter's field with what is said about it."""
        return self.node.locator(
            ".jp-Pipelines-field", has=self.page.get_by_label(name, exact=True)
        )


class ConnectionForm(FormDialog):
    """ "Add connection", "Change connection": an address, a way to sign in, and their test."""

    def test(self) -> None:
        """Press the test's button and wait for what it finds."""
        self.node.get_by_role("button", name="Test connection").click()
        expect(self.outcome).to_contain_text("It ")

    @property
    def outcome(self) -> Locator:
        """The test's result in a line."""
        return self.node.locator(".jp-PipelinesTest-head").get_by_role("status")

    def step(self, title: str) -> Locator:
        return self.node.get_by_role("listitem").filter(has_text=title)


class RunViewer:
    """The run in front: its graph, and the panel of what is selected."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.node = page.locator(".jp-PipelinesViewer:visible")
        self.frame = self.node.get_by_role("application")
        expect(self.frame).to_be_visible()

    @property
    def state(self) -> Locator:
        """The run's state in a word."""
        return self.node.locator("header").get_by_role("status")

    @property
    def name(self) -> Locator:
        return self.node.locator("header h1")

    def step(self, task: str) -> Locator:
        """A node of the graph, by its task or artifact id."""
        return self.node.locator(f'.jp-PipelinesGraph-node[data-node="{task}"]')

    def expect_run(self, word: str) -> None:
        """Wait until the run is in this state."""
        expect(self.state).to_have_text(word, timeout=RUN_MS)

    def expect_success(self, tasks: int | None = None) -> None:
        """Wait until the run and each of its tasks, so many of them, succeeded."""
        self.expect_run("Succeeded")
        chips = self.panel.get_by_role("group", name="Show tasks by state").get_by_role("button")
        number = r"\d+" if tasks is None else str(tasks)
        expect(chips).to_have_text(
            [re.compile(f"^All{number}$"), re.compile(f"^Succeeded{number}$")]
        )

    def open_task(self, name: str) -> Locator:
        """Press a task in the panel's list; its panel."""
        self.panel.locator(".jp-PipelinesTasks-row", has_text=name).click()
        expect(self.panel.get_by_role("heading", name=name)).to_be_visible()
        return self.panel

    def select(self, task: str) -> Locator:
        """Click a node; its panel."""
        self.step(task).click()
        return self.panel

    @property
    def panel(self) -> Locator:
        return self.node.get_by_role("complementary", name="Details")

    def tab(self, name: str) -> Locator:
        """Open a tab of the panel; its content."""
        self.panel.get_by_role("tab", name=re.compile(f"^{re.escape(name)}")).click()
        return self.panel.get_by_role("tabpanel")

    def log(self) -> Locator:
        self.tab("Logs")
        return self.panel.get_by_role("log")

    def output(self, title: str) -> Locator:
        """An output that the panel shows, by its title."""
        heading = self.page.locator("h4", has_text=title)
        return self.panel.locator(".jp-PipelinesViewer-output", has=heading)

    def html_output(self, title: str) -> FrameLocator:
        """The document inside the two sandboxed frames of an output."""
        return self.output(title).frame_locator("iframe").frame_locator("iframe")


class RunsPanel:
    """The sidebar's list of runs."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.node = page.get_by_role("region", name="Pipelines", exact=True)
        if not self.node.is_visible():
            page.locator('.lm-TabBar-tab[data-id="jupyterlab-pipelines-runs"]').click()
        expect(self.picker).to_be_visible()

    @property
    def picker(self) -> Locator:
        """The button that names the connection."""
        return self.node.get_by_title("Choose a connection")

    @property
    def namespaces(self) -> Locator:
        """The button that names the namespace."""
        return self.node.get_by_title("Choose a namespace")

    @property
    def rows(self) -> Locator:
        return self.node.get_by_role("row")

    @property
    def search(self) -> Locator:
        return self.node.get_by_role("textbox", name="Search runs by name")

    def row(self, name: str) -> Locator:
        return self.rows.filter(has=self.page.get_by_text(name, exact=True))

    def state(self, name: str) -> Locator:
        return self.row(name).locator(".jp-PipelinesRun-state")

    def act(self, action: str, name: str) -> None:
        """Press one of the buttons that a row shows under the pointer."""
        self.row(name).hover()
        self.row(name).get_by_role("button", name=f"{action}: {name}").click()

    def open(self, name: str) -> RunViewer:
        self.row(name).dblclick()
        viewer = RunViewer(self.page)
        expect(viewer.name).to_have_text(name)
        return viewer

    def connection_menu(self) -> Locator:
        self.picker.click()
        return self.page.get_by_role("menu", name="Connections")

    def act_on_connection(self, action: str, name: str) -> None:
        """Press one of the buttons that the menu has for a connection of the user's own."""
        label = f"{action} connection {name}"
        self.connection_menu().get_by_role("menuitem", name=label).click()
