/** The run viewer's frame: head, notices, graph, and the panel of what is selected. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { Message } from '../message';
import { useSignals } from '../useSignal';
import { ArtifactPanel } from './artifacts';
import { Waiting } from './fields';
import { IconButton } from './graphTools';
import { GraphView } from './graphView';
import { Header, Notices } from './header';
import type { ViewerModel } from './model';
import { RunPanel } from './runPanel';
import { Splitter } from './splitter';
import { TaskPanel } from './taskPanel';

export interface IViewerProps {
  model: ViewerModel;
  trans: TranslationBundle;
}

/** The panel's first width: all its tabs side by side. */
const PANEL_PX = 450;

export function Viewer({ model, trans }: IViewerProps): JSX.Element {
  useSignals(model.changed, model.run.changed);
  const [width, setWidth] = React.useState(PANEL_PX);
  const { error, run, deleted } = model.run;
  if (!run) {
    return (
      <div className="jp-PipelinesViewer">
        <div className="jp-PipelinesViewer-empty">
          {error || deleted ? (
            <Message
              kind="error"
              message={error?.message ?? trans.__('This run was deleted.')}
              nextStep={error?.nextStep}
            >
              {' '}
              <button
                type="button"
                className="jp-Pipelines-link"
                onClick={() => void model.run.refresh()}
              >
                {trans.__('Try again')}
              </button>
            </Message>
          ) : (
            <Waiting text={trans.__('Reading the run…')} trans={trans} />
          )}
        </div>
      </div>
    );
  }
  return (
    <div className="jp-PipelinesViewer">
      <Header model={model} trans={trans} />
      <Notices model={model} trans={trans} />
      <div className="jp-PipelinesViewer-main">
        <Graph model={model} trans={trans} />
        {model.panelOpen && (
          <>
            <Splitter
              width={width}
              onResize={setWidth}
              label={trans.__('Width of the details')}
            />
            <aside
              className="jp-PipelinesViewer-panel"
              style={{ width }}
              aria-label={trans.__('Details')}
            >
              <Panel model={model} trans={trans} />
            </aside>
          </>
        )}
      </div>
    </div>
  );
}

function Graph({ model, trans }: IViewerProps): JSX.Element {
  const { picture, problem } = model;
  if (picture) {
    return picture.drawing.nodes.length ? (
      <GraphView model={model} picture={picture} trans={trans} />
    ) : (
      <div className="jp-PipelinesViewer-empty">
        <p className="jp-mod-quiet">{trans.__('This run has no tasks.')}</p>
      </div>
    );
  }
  return (
    <div className="jp-PipelinesViewer-empty">
      {problem ? (
        <Message
          kind="error"
          message={trans.__('The graph could not be laid out.')}
          nextStep={problem}
        />
      ) : (
        <Waiting text={trans.__('Laying out the graph…')} trans={trans} />
      )}
    </div>
  );
}

function Panel({ model, trans }: IViewerProps): JSX.Element {
  const { selected, task, taskOutputs } = model;
  if (selected === null) {
    return <RunPanel model={model} trans={trans} />;
  }
  return (
    <>
      <div className="jp-PipelinesViewer-back">
        <IconButton
          icon={closeIcon}
          title={trans.__('Back to the run')}
          onClick={() => model.select(null)}
        />
      </div>
      {task && taskOutputs ? (
        <TaskPanel
          key={selected}
          model={model}
          task={task}
          outputs={taskOutputs}
          trans={trans}
        />
      ) : (
        <ArtifactPanel model={model} id={selected} trans={trans} />
      )}
    </>
  );
}
