"""A compiled pipeline runs from the file browser, and its run viewer shows all it put out."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.browser.screen import Files

DIGITS = ("pipelines", "digits.yaml")


def test_the_example_pipeline_runs_and_shows_its_results(page: Page) -> None:
    dialog = Files(page).run_pipeline(*DIGITS)
    share = dialog.parameter("test_share")
    expect(dialog.field("test_share")).to_have_value("0.25")
    dialog.field("test_share").fill("a half")
    expect(share.get_by_role("alert")).to_contain_text("number")
    dialog.accept.click()
    expect(dialog.field("test_share")).to_have_attribute("aria-invalid", "true")
    dialog.field("test_share").fill("0.5")
    expect(share.get_by_role("alert")).to_have_count(0)

    dialog.field("Run name").fill("half for the test")
    viewer = dialog.run()
    expect(viewer.name).to_have_text("half for the test")
    viewer.expect_success(3)

    viewer.select("evaluate")
    viewer.tab("Outputs")
    curve = viewer.output("roc")
    expect(curve.locator("canvas, svg").first).to_be_visible()
    assert colours(curve) > 2, "nothing is drawn"
    expect(viewer.output("confusion").locator("canvas, svg").first).to_be_visible()
    assert colours(viewer.output("confusion")) > 2, "nothing is drawn"
    expect(viewer.output("metrics")).to_contain_text("accuracy")
    expect(
        viewer.output("report").get_by_role("heading", name="Handwritten digits")
    ).to_be_visible()
    expect(viewer.output("figure").locator("iframe")).to_have_attribute("sandbox", "allow-scripts")
    misread = viewer.html_output("figure").get_by_alt_text("Misread digits")
    expect(misread).to_be_visible()
    assert misread.evaluate("async node => { await node.decode(); return node.naturalWidth; }") > 50

    viewer.select("train")
    expect(viewer.log()).to_contain_text("Trained on 898 digits.")
    values = viewer.tab("Inputs & outputs")
    expect(values.get_by_role("row", name="regularization")).to_contain_text("0.1")
    expect(values).to_contain_text("scikit-learn")
    viewer.select("load")
    values = viewer.tab("Inputs & outputs")
    expect(values.get_by_role("row", name="test_share")).to_contain_text("0.5")


COLOURS = """
async node => {
  const drawing = node.querySelector('canvas, svg');
  if (drawing instanceof SVGElement) {
    return new Set([...drawing.querySelectorAll('path, rect, line')]
      .flatMap(mark => [mark.getAttribute('fill'), mark.getAttribute('stroke')])).size;
  }
  const { width, height } = drawing;
  const pixels = new Uint32Array(
    drawing.getContext('2d').getImageData(0, 0, width, height).data.buffer);
  return new Set(pixels).size;
}
"""


def colours(output: Locator) -> int:
    """How many colours the drawing of an output has."""
    return output.evaluate(COLOURS)
