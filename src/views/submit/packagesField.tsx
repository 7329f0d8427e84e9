/** Requirements as chips: each can be removed, and new ones typed in. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon } from '@jupyterlab/ui-components';
import React, { useState } from 'react';

export interface IPackagesFieldProps {
  packages: readonly string[];
  trans: TranslationBundle;
  onChange: (packages: string[]) => void;
}

export function PackagesField(props: IPackagesFieldProps): JSX.Element {
  const { packages, trans, onChange } = props;
  const [text, setText] = useState('');
  const add = () => {
    const fresh = text
      .split(/[\s]+/)
      .map(one => one.replace(/,$/, ''))
      .filter(one => one && !packages.includes(one));
    if (fresh.length) {
      onChange([...packages, ...fresh]);
    }
    setText('');
  };
  return (
    <div className="jp-PipelinesSubmit-packages" data-keeps-enter>
      {packages.map(name => (
        <span className="jp-PipelinesSubmit-package" key={name}>
          {name}
          <button
            type="button"
            title={trans.__('Remove %1', name)}
            aria-label={trans.__('Remove %1', name)}
            onClick={() => onChange(packages.filter(one => one !== name))}
          >
            <closeIcon.react tag={null} width="12px" height="12px" />
          </button>
        </span>
      ))}
      <input
        type="text"
        value={text}
        spellCheck={false}
        autoComplete="off"
        placeholder={
          packages.length
            ? trans.__('Add a package')
            : trans.__('No package found. Add one, for instance pandas>=2')
        }
        aria-label={trans.__('Add a package')}
        onChange={event => setText(event.target.value)}
        onBlur={add}
        onKeyDown={event => {
          if (event.key === 'Enter' || event.key === ',') {
            event.preventDefault();
            add();
          } else if (event.key === 'Backspace' && !text && packages.length) {
            onChange(packages.slice(0, -1));
          }
        }}
      />
    </div>
  );
}
