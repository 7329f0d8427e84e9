/** The graph's small buttons: zoom, fit, artifacts, expand and collapse. */
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  collapseAllIcon,
  expandAllIcon,
  type LabIcon
} from '@jupyterlab/ui-components';
import React from 'react';
import { ZOOM_STEP } from './keys';
import type { ViewerModel } from './model';

export interface IGraphToolsProps {
  model: ViewerModel;
  trans: TranslationBundle;
  onZoom: (factor: number) => void;
  onFit: () => void;
}

export function GraphTools(props: IGraphToolsProps): JSX.Element {
  const { model, trans, onZoom, onFit } = props;
  const groups = model.scopes?.holders.size ?? 0;
  const artifacts = model.scopes?.topology.artifacts.length ?? 0;
  return (
    <div
      className="jp-PipelinesGraph-tools"
      role="toolbar"
      aria-label={trans.__('Graph')}
    >
      {artifacts > 0 && (
        <label className="jp-PipelinesGraph-check">
          <input
            type="checkbox"
            checked={model.showArtifacts}
            onChange={event => model.setShowArtifacts(event.target.checked)}
          />
          {trans.__('Artifacts')}
        </label>
      )}
      {groups > 0 && (
        <>
          <IconButton
            icon={expandAllIcon}
            title={trans.__('Expand all groups')}
            onClick={() => model.setAllExpanded(true)}
          />
          <IconButton
            icon={collapseAllIcon}
            title={trans.__('Collapse all groups')}
            onClick={() => model.setAllExpanded(false)}
          />
        </>
      )}
      <TextButton
        text="−"
        title={trans.__('Zoom out (−)')}
        onClick={() => onZoom(1 / ZOOM_STEP)}
      />
      <TextButton
        text="+"
        title={trans.__('Zoom in (+)')}
        onClick={() => onZoom(ZOOM_STEP)}
      />
      <TextButton
        text={trans.__('Fit')}
        title={trans.__('Show the whole graph (F)')}
        onClick={onFit}
      />
    </div>
  );
}

export interface IButtonProps {
  title: string;
  onClick: () => void;
  disabled?: boolean;
  pressed?: boolean;
}

export function IconButton(
  props: IButtonProps & { icon: LabIcon }
): JSX.Element {
  const Icon = props.icon.react;
  return (
    <button
      type="button"
      className="jp-PipelinesViewer-button jp-mod-icon"
      title={props.title}
      aria-label={props.title}
      aria-pressed={props.pressed}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      <Icon tag={null} width="16px" height="16px" />
    </button>
  );
}

export function TextButton(
  props: IButtonProps & { text: string }
): JSX.Element {
  return (
    <button
      type="button"
      className="jp-PipelinesViewer-button"
      title={props.title}
      aria-pressed={props.pressed}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      {props.text}
    </button>
  );
}
