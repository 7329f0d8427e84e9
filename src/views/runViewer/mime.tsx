/** Shows a MIME bundle by a clone of JupyterLab's rendermime with a sanitizer of our settings. */
import { MimeModel, type IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { PartialJSONObject } from '@lumino/coreutils';
import { Widget } from '@lumino/widgets';
import React from 'react';
import type { Output } from '../../api/types';
import { Message } from '../message';
import { OutputSanitizer } from '../outputSanitizer';
import { useLightTheme } from '../useLightTheme';

/** The registry that outputs are rendered with; null where none is given (tests). */
export const RendermimeContext =
  React.createContext<IRenderMimeRegistry | null>(null);

export function outputRendermime(
  rendermime: IRenderMimeRegistry
): IRenderMimeRegistry {
  return rendermime.clone({ sanitizer: new OutputSanitizer() });
}

export interface IOutputProps {
  output: Output;
  /** Says which task the output is of, among those of a whole run. */
  showTask?: boolean;
  trans: TranslationBundle;
}

/** One output with its title; an output that cannot be shown says why. */
export function OutputView(props: IOutputProps): JSX.Element {
  const { output, showTask, trans } = props;
  return (
    <section className="jp-PipelinesViewer-output">
      <h4>
        {output.title}
        {showTask && <span className="jp-mod-quiet"> {output.task_id}</span>}
      </h4>
      {output.error ? (
        <Message kind="warning" message={output.error} />
      ) : (
        <Bundle output={output} trans={trans} />
      )}
    </section>
  );
}

/** A chart takes its colours from the theme when it is drawn; the rest follows the style sheet. */
function isChart({ bundle }: Output): boolean {
  return Object.keys(bundle).some(type =>
    type.startsWith('application/vnd.vega')
  );
}

function Bundle({ output, trans }: IOutputProps): JSX.Element {
  const host = React.useRef<HTMLDivElement>(null);
  const rendermime = React.useContext(RendermimeContext);
  const [problem, setProblem] = React.useState('');
  const isLight = useLightTheme();
  const theme = isChart(output) ? isLight : null;
  // A layout effect: a Lumino widget must be detached before React removes its element.
  React.useLayoutEffect(() => {
    if (!host.current || !rendermime) {
      return;
    }
    const data = output.bundle as PartialJSONObject;
    const mimeType = rendermime.preferredMimeType(data, 'ensure');
    if (!mimeType) {
      setProblem(
        trans.__(
          'JupyterLab has no renderer for %1.',
          Object.keys(data).join(', ') || trans.__('an empty output')
        )
      );
      return;
    }
    setProblem('');
    const renderer = rendermime.createRenderer(mimeType);
    const metadata = output.metadata as PartialJSONObject;
    Widget.attach(renderer, host.current);
    renderer
      .renderModel(new MimeModel({ data, metadata, trusted: false }))
      .catch((error: unknown) => setProblem(String(error)));
    return () => renderer.dispose();
  }, [output, rendermime, theme, trans]);
  return (
    <>
      {problem && <Message kind="warning" message={problem} />}
      <div ref={host} className="jp-PipelinesViewer-bundle" />
    </>
  );
}
