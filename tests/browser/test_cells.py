"""The example's cells become a pipeline step whose outputs are shown in the lab."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.browser.screen import Files, Notebook

# Places of the example's cells in its notebook.
IMPORTS, PARAMETERS, TRAIN, FIGURES = 1, 4, 6, 9


def test_cells_of_the_example_run_as_a_step(page: Page) -> None:
    Files(page).open("digits.ipynb")
    notebook = Notebook(page)
    notebook.run(IMPORTS, PARAMETERS)
    dialog = notebook.run_as_step(TRAIN, FIGURES)

    expect(dialog.input("regularization")).to_contain_text("float")
    expect(dialog.source("regularization")).to_have_value("parameter")
    expect(dialog.field("Value of regularization as JSON")).to_have_value("0.1")
    expect(dialog.source("images_train")).to_have_value("snapshot")
    expect(dialog.input("images_train")).to_contain_text("ndarray")
    expect(dialog.packages.filter(has_text="scikit-learn")).to_have_count(1)
    expect(dialog.code).to_contain_text("model.fit(images_train, digits_train)")

    dialog.field("Step name").fill("train and evaluate")
    viewer = dialog.run()
    expect(viewer.name).to_have_text("train and evaluate")
    viewer.expect_success()

    viewer.open_task("train-and-evaluate")
    outputs = viewer.tab("Outputs")
    expect(outputs.get_by_role("heading", name="Report")).to_be_visible()
    expect(outputs.get_by_role("cell", name="test digits")).to_be_visible()
    figure = outputs.get_by_role("img").first
    expect(figure).to_be_visible()
    width, height = drawn_size(figure)
    assert width > 400
    assert height > 150
    expect(viewer.log()).to_contain_text("Trained.")


def drawn_size(image: Locator) -> tuple[int, int]:
    """Pixels of the picture itself, not of its place."""
    size = image.evaluate(
        "async node => { await node.decode(); return [node.naturalWidth, node.naturalHeight]; }"
    )
    return size[0], size[1]
