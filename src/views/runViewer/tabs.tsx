/** A list of tabs with its panel, by the keyboard pattern of the ARIA practices. */
import { UUID } from '@lumino/coreutils';
import React from 'react';

export interface ITabListProps<T extends string> {
  tabs: readonly (readonly [T, string])[];
  selected: T;
  onSelect: (id: T) => void;
  label: string;
  children: React.ReactNode;
}

export function TabList<T extends string>(
  props: ITabListProps<T>
): JSX.Element {
  const { tabs, selected, onSelect, label, children } = props;
  const prefix = React.useMemo(() => UUID.uuid4(), []);
  const list = React.useRef<HTMLDivElement>(null);
  const onKeyDown = (event: React.KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1 };
    const step = steps[event.key];
    if (step) {
      const at = tabs.findIndex(([id]) => id === selected);
      const next = (at + step + tabs.length) % tabs.length;
      onSelect(tabs[next][0]);
      (list.current?.children[next] as HTMLElement).focus();
      event.preventDefault();
    }
  };
  return (
    <>
      <div
        ref={list}
        className="jp-PipelinesViewer-tabs"
        role="tablist"
        aria-label={label}
        onKeyDown={onKeyDown}
      >
        {tabs.map(([id, text]) => (
          <button
            key={id}
            type="button"
            role="tab"
            id={`${prefix}-${id}`}
            aria-selected={id === selected}
            aria-controls={`${prefix}-panel`}
            tabIndex={id === selected ? 0 : -1}
            onClick={() => onSelect(id)}
          >
            {text}
          </button>
        ))}
      </div>
      <div
        className="jp-PipelinesViewer-tabPanel"
        role="tabpanel"
        id={`${prefix}-panel`}
        aria-labelledby={`${prefix}-${selected}`}
      >
        {children}
      </div>
    </>
  );
}
