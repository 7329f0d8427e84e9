/** Python code to read: highlighted and numbered by JupyterLab's own editor, never editable. */
import { CodeEditor, type IEditorServices } from '@jupyterlab/codeeditor';
import React, { useEffect, useRef } from 'react';

export interface ICodeViewProps {
  code: string;
  editors: IEditorServices;
  label: string;
}

export function CodeView(props: ICodeViewProps): JSX.Element {
  const { code, editors, label } = props;
  const host = useRef<HTMLDivElement>(null);
  const model = useRef<CodeEditor.IModel | null>(null);
  useEffect(() => {
    if (!host.current) {
      return;
    }
    const own = new CodeEditor.Model({ mimeType: 'text/x-python' });
    const editor = editors.factoryService.newInlineEditor({
      host: host.current,
      model: own,
      config: { readOnly: true, lineNumbers: true, lineWrap: false }
    });
    model.current = own;
    return () => {
      model.current = null;
      editor.dispose();
      own.dispose();
    };
  }, [editors]);
  useEffect(() => {
    if (model.current?.sharedModel.getSource() !== code) {
      model.current?.sharedModel.setSource(code);
    }
  }, [code, editors]);
  return (
    <div
      ref={host}
      className="jp-PipelinesSubmit-code"
      role="region"
      aria-label={label}
      tabIndex={0}
    />
  );
}
