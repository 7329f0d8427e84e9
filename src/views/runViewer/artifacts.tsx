/** Artifacts in the panel: a list of a task's, and one in full. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { downloadIcon } from '@jupyterlab/ui-components';
import React from 'react';
import type { ArtifactRef } from '../../api/types';
import { shortType } from '../../graph/build';
import { Message } from '../message';
import { formatMoment } from '../time';
import { useSignals } from '../useSignal';
import { formatBytes } from '../bytes';
import { Fields, Section, Value } from './fields';
import { OutputView } from './mime';
import type { ViewerModel } from './model';

export interface IArtifactsProps {
  model: ViewerModel;
  artifacts: readonly ArtifactRef[];
  empty: string;
  trans: TranslationBundle;
}

export function ArtifactList(props: IArtifactsProps): JSX.Element {
  const { model, artifacts, empty, trans } = props;
  if (!artifacts.length) {
    return <p className="jp-mod-quiet">{empty}</p>;
  }
  return (
    <ul className="jp-PipelinesViewer-artifacts">
      {artifacts.map((artifact, i) => (
        <li key={artifact.id ?? i}>
          <div className="jp-PipelinesViewer-artifactHead">
            {artifact.id !== null ? (
              <button
                type="button"
                className="jp-Pipelines-link"
                title={trans.__('Show this artifact')}
                onClick={() => model.reveal(artifact.id!)}
              >
                {artifact.name}
              </button>
            ) : (
              <span>{artifact.name}</span>
            )}
            <span className="jp-mod-quiet">{shortType(artifact.type)}</span>
            {artifact.id !== null && artifact.uri && (
              <Download model={model} id={artifact.id} trans={trans} />
            )}
          </div>
          {artifact.uri && <code>{artifact.uri}</code>}
          <Metadata metadata={artifact.metadata} trans={trans} />
        </li>
      ))}
    </ul>
  );
}

function Metadata(props: {
  metadata: Readonly<Record<string, unknown>>;
  trans: TranslationBundle;
}): JSX.Element | null {
  const names = Object.keys(props.metadata).filter(
    name => name !== 'display_name' && name !== 'store_session_info'
  );
  if (!names.length) {
    return null;
  }
  return (
    <Fields
      rows={names.map(
        name =>
          [
            name,
            <Value
              key={name}
              value={props.metadata[name]}
              trans={props.trans}
            />
          ] as const
      )}
    />
  );
}

function Download(props: {
  model: ViewerModel;
  id: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, id, trans } = props;
  const { client } = model.pipelines;
  const label = trans.__('Download');
  return (
    <a
      className="jp-PipelinesViewer-button jp-mod-icon"
      href={client.artifactUrl(model.connection, model.runId, id)}
      download
      title={label}
      aria-label={label}
    >
      <downloadIcon.react tag={null} width="16px" height="16px" />
    </a>
  );
}

/** One artifact: where it comes from, who reads it, what it looks like. */
export function ArtifactPanel(props: {
  model: ViewerModel;
  id: string;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { model, id, trans } = props;
  useSignals(model.run.changed, model.outputs.changed);
  const topology = model.scopes?.topology;
  const node = topology?.artifacts.find(one => one.id === id);
  if (!topology || !node) {
    return (
      <p className="jp-mod-quiet">
        {trans.__('This is no longer in the graph.')}
      </p>
    );
  }
  const status = model.run.artifacts[id];
  const readers = topology.edges
    .filter(edge => edge.source === id && edge.kind === 'input')
    .map(edge => edge.target);
  const outputs = model.outputs.outputs?.filter(
    output => output.artifact_id === id
  );
  const link = (task: string) => (
    <button
      key={task}
      type="button"
      className="jp-Pipelines-link"
      onClick={() => model.reveal(task)}
    >
      {model.run.node(task)?.display_name ?? task}
    </button>
  );
  return (
    <div className="jp-PipelinesViewer-body">
      <div className="jp-PipelinesViewer-artifactHead">
        <h3>{node.name}</h3>
        <span className="jp-mod-quiet">{node.type}</span>
        {status && <Download model={model} id={id} trans={trans} />}
      </div>
      {!status && (
        <Message
          kind="info"
          message={trans.__('Not there yet.')}
          nextStep={trans.__('It appears when its step has succeeded.')}
        />
      )}
      <Fields
        rows={[
          [trans.__('Produced by'), node.producer && link(node.producer)],
          [trans.__('Read by'), readers.length ? readers.map(link) : null],
          [trans.__('URI'), status && <code>{status.uri}</code>],
          [
            trans.__('Size'),
            status && status.size !== null ? formatBytes(status.size) : null
          ],
          [trans.__('Created'), status && formatMoment(status.created_at)]
        ]}
      />
      {status && Object.keys(status.metadata).length > 0 && (
        <Section title={trans.__('Metadata')}>
          <Metadata metadata={status.metadata} trans={trans} />
        </Section>
      )}
      {outputs?.map(output => (
        <OutputView key={output.id} output={output} trans={trans} />
      ))}
    </div>
  );
}
