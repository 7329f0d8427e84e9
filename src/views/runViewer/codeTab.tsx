/** The code that a step runs: its function's source, else its command. */
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { TaskDetail } from '../../api/types';
import { Fields, Section } from './fields';

/** Colours code; null: it is shown plain. */
export const LanguagesContext =
  React.createContext<IEditorLanguageRegistry | null>(null);

export function CodeTab(props: {
  detail: TaskDetail;
  trans: TranslationBundle;
}): JSX.Element {
  const { detail, trans } = props;
  const { source, command, packages, image } = detail;
  return (
    <div className="jp-PipelinesViewer-body">
      <Fields
        rows={[
          [trans.__('Packages'), packages.join(', ')],
          [trans.__('Image'), image && <code>{image}</code>]
        ]}
      />
      {source ? (
        <Python source={source} />
      ) : (
        <p className="jp-mod-quiet">
          {trans.__('This step runs a command; it has no Python source.')}
        </p>
      )}
      {command.length > 0 && (
        <details className="jp-PipelinesViewer-long" open={!source}>
          <summary>{trans.__('Command')}</summary>
          <Section title="">
            <pre>{command.join('\n')}</pre>
          </Section>
        </details>
      )}
    </div>
  );
}

function Python({ source }: { source: string }): JSX.Element {
  const host = React.useRef<HTMLPreElement>(null);
  const languages = React.useContext(LanguagesContext);
  React.useEffect(() => {
    const element = host.current;
    if (!element) {
      return;
    }
    element.textContent = source;
    let current = true;
    void (async () => {
      const language = await languages?.getLanguage('python');
      const coloured = document.createElement('pre');
      await languages?.highlight(source, language ?? null, coloured);
      if (current && coloured.textContent) {
        element.replaceChildren(...coloured.childNodes);
      }
    })();
    return () => {
      current = false;
    };
  }, [source, languages]);
  return <pre ref={host} className="jp-PipelinesViewer-code" tabIndex={0} />;
}
