import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import { act, cleanup, render } from '@testing-library/react';
import React from 'react';
import type { Output } from '../../../api/types';
import { OutputView, RendermimeContext } from '../mime';

const trans = nullTranslator.load('jupyterlab_pipelines');

const LIGHT = 'data-jp-theme-light';

/** Shows an output of this type; how often it was drawn, and in which theme. */
function show(type: string): string[] {
  const drawn: string[] = [];
  class Renderer extends Widget {
    async renderModel(): Promise<void> {
      drawn.push(document.body.getAttribute(LIGHT)!);
    }
  }
  const rendermime = {
    preferredMimeType: () => type,
    createRenderer: () => new Renderer()
  } as unknown as IRenderMimeRegistry;
  const output = { title: type, bundle: { [type]: '' }, metadata: {} };
  render(
    <RendermimeContext.Provider value={rendermime}>
      <OutputView output={output as unknown as Output} trans={trans} />
    </RendermimeContext.Provider>
  );
  return drawn;
}

async function setTheme(light: boolean): Promise<void> {
  await act(async () => document.body.setAttribute(LIGHT, String(light)));
}

describe('an output', () => {
  beforeEach(() => setTheme(true));
  afterEach(cleanup);

  it('that is a chart is drawn again in the colours of another theme', async () => {
    const drawn = show('application/vnd.vegalite.v5+json');
    await setTheme(false);
    await setTheme(false);
    expect(drawn).toEqual(['true', 'false']);
  });

  it('that follows the style sheet is left as it is', async () => {
    const drawn = show('text/html');
    await setTheme(false);
    expect(drawn).toEqual(['true']);
  });
});
