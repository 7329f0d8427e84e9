/** The run viewer as a widget of the main area: its title carries the run's name and state. */
import { ReactWidget } from '@jupyterlab/apputils';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import { stateIcons } from '../../icons';
import { stateLabel } from '../stateMark';
import { LanguagesContext } from './codeTab';
import { RendermimeContext } from './mime';
import type { ViewerModel } from './model';
import { Viewer } from './viewer';

export interface IRunViewerOptions {
  model: ViewerModel;
  rendermime: IRenderMimeRegistry;
  languages: IEditorLanguageRegistry | null;
  trans: TranslationBundle;
}

export class RunViewer extends ReactWidget {
  /** The viewer owns its model. */
  constructor(private readonly options: IRunViewerOptions) {
    super();
    this.model = options.model;
    this.addClass('jp-PipelinesViewer-widget');
    this.title.closable = true;
    this.model.run.changed.connect(this._updateTitle, this);
    this._updateTitle();
  }

  readonly model: ViewerModel;

  override dispose(): void {
    if (!this.isDisposed) {
      this.model.run.changed.disconnect(this._updateTitle, this);
      super.dispose();
      this.model.dispose();
    }
  }

  protected override render(): JSX.Element {
    const { rendermime, languages, trans } = this.options;
    return (
      <RendermimeContext.Provider value={rendermime}>
        <LanguagesContext.Provider value={languages}>
          <Viewer model={this.model} trans={trans} />
        </LanguagesContext.Provider>
      </RendermimeContext.Provider>
    );
  }

  private _updateTitle(): void {
    const { run } = this.model.run;
    const { trans } = this.options;
    const { title } = this;
    title.label = run?.display_name ?? this.model.runId.slice(0, 8);
    const state = run?.state ?? 'PENDING';
    title.icon = stateIcons[state];
    if (title.dataset['pipelines-state'] !== state) {
      title.dataset = { 'pipelines-state': state };
    }
    title.caption = run
      ? `${run.display_name}\n${stateLabel(run.state, trans)}\n${this.model.connection}`
      : trans.__('Run %1', this.model.runId);
  }
}
