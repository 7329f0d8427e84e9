/** What the list shows when it is empty: the next step. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React, { useEffect, useState } from 'react';
import { pipelineFileIcon, pipelinesIcon, runStepIcon } from '../../icons';

/** No run was ever started here: how to start the first. */
export function FirstSteps(props: {
  trans: TranslationBundle;
  /** Path of the example notebook; null where there is none. */
  findExample: () => Promise<string | null>;
  onOpen: (path: string) => void;
}): JSX.Element {
  const { trans, findExample, onOpen } = props;
  const [example, setExample] = useState<string | null>(null);
  useEffect(() => {
    let wanted = true;
    void findExample().then(path => wanted && setExample(path));
    return () => {
      wanted = false;
    };
  }, [findExample]);
  return (
    <div className="jp-PipelinesRuns-empty">
      <pipelinesIcon.react
        tag="div"
        className="jp-PipelinesRuns-emptyIcon"
        width="40px"
        height="40px"
      />
      <h3>{trans.__('No runs yet')}</h3>
      <ul>
        <li>
          <runStepIcon.react tag="span" />
          <span>
            {trans.__(
              'In a notebook, select cells, right-click and choose “Run as pipeline step…”.'
            )}
          </span>
        </li>
        <li>
          <pipelineFileIcon.react tag="span" />
          <span>
            {trans.__(
              'Or right-click a compiled pipeline (.yaml) in the file browser and choose “Run pipeline…”.'
            )}
          </span>
        </li>
      </ul>
      {example && (
        <button
          type="button"
          className="jp-mod-styled jp-mod-accept"
          onClick={() => onOpen(example)}
        >
          {trans.__('Open the example')}
        </button>
      )}
    </div>
  );
}

/** There are runs, but none passes the filters. */
export function NothingFound(props: {
  trans: TranslationBundle;
  onClear: () => void;
}): JSX.Element {
  const { trans, onClear } = props;
  return (
    <div className="jp-PipelinesRuns-empty">
      <h3>{trans.__('No run matches')}</h3>
      <button type="button" className="jp-Pipelines-link" onClick={onClear}>
        {trans.__('Clear search and filters')}
      </button>
    </div>
  );
}
