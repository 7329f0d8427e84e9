/** The sidebar's widget: a light shell whose content loads when first shown. */
import { ReactWidget } from '@jupyterlab/apputils';
import type { Message } from '@lumino/messaging';
import React, { Suspense, lazy } from 'react';
import { pipelinesIcon } from '../../icons';
import type { IPanelProps } from './panel';

const Panel = lazy(() => import('./panel'));

export class RunsPanel extends ReactWidget {
  constructor(private readonly props: IPanelProps) {
    super();
    const { trans } = props;
    this.id = 'jupyterlab-pipelines-runs';
    this.addClass('jp-PipelinesPanel');
    this.title.icon = pipelinesIcon;
    this.title.caption = trans.__('Pipelines');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Pipelines'));
  }

  protected override render(): JSX.Element {
    return (
      <Suspense fallback={null}>
        <Panel {...this.props} />
      </Suspense>
    );
  }

  protected override onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this.props.model.setVisible(true);
  }

  protected override onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    this.props.model.setVisible(false);
  }

  protected override onActivateRequest(msg: Message): void {
    super.onActivateRequest(msg);
    const selector =
      '.jp-PipelinesRun[tabindex="0"], .jp-PipelinesConnection-button';
    this.node.querySelector<HTMLElement>(selector)?.focus();
  }
}
