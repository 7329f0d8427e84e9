/** The graph: culled shapes in a frame that pans and zooms; a status update redraws one node. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { UUID } from '@lumino/coreutils';
import React from 'react';
import { TileIndex } from '../../graph/cull';
import { Walk } from '../../graph/walk';
import { useSignals } from '../useSignal';
import { Definitions, GraphContent } from './graphContent';
import { GraphTools } from './graphTools';
import { Legend } from './legend';
import type { IPicture, ViewerModel } from './model';
import { describe } from './nodeText';
import { usePlacement } from './placement';
import { useInput } from './useInput';
import { useViewport } from './useViewport';

export interface IGraphProps {
  model: ViewerModel;
  picture: IPicture;
  trans: TranslationBundle;
}

export function GraphView({ model, picture, trans }: IGraphProps): JSX.Element {
  const { run } = model;
  useSignals(run.changed);
  const viewport = useViewport();
  const icons = React.useMemo(() => `jp-pipelines-${UUID.uuid4()}`, []);
  const index = React.useMemo(
    () => new TileIndex(picture.layout),
    [picture.layout]
  );
  const walk = React.useMemo(
    () => new Walk(picture.drawing, picture.layout),
    [picture]
  );
  usePlacement(model, picture, viewport, walk);

  const input = useInput(model, picture, viewport, index, walk);

  const focusNode =
    input.cursor === null ? undefined : picture.nodes.get(input.cursor);
  return (
    <div className="jp-PipelinesGraph">
      <div
        ref={viewport.frameRef}
        className="jp-PipelinesGraph-frame"
        tabIndex={0}
        role="application"
        aria-roledescription={trans.__('graph')}
        aria-label={trans.__(
          'Graph of the run. Arrow keys move along the edges, Enter selects, Escape clears, F fits.'
        )}
        {...input.handlers}
      >
        <svg width="100%" height="100%" aria-hidden="true">
          <Definitions icons={icons} />
          <g ref={viewport.groupRef}>
            <GraphContent
              model={model}
              picture={picture}
              index={index}
              viewport={viewport}
              cursor={input.cursor}
              icons={icons}
              trans={trans}
            />
          </g>
        </svg>
      </div>
      <div className="jp-PipelinesGraph-announcer" aria-live="polite">
        {focusNode && describe(focusNode, run, trans)}
      </div>
      <GraphTools
        model={model}
        trans={trans}
        onZoom={input.zoom}
        onFit={input.fitAll}
      />
      <Legend trans={trans} />
    </div>
  );
}
