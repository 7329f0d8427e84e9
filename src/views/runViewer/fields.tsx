/** Small pieces of the side panel: name and value, JSON values, tables, sections. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';

export interface IFieldsProps {
  /** Pairs of name and value; a pair without a value is left out. */
  rows: readonly (readonly [string, React.ReactNode])[];
}

export function Fields({ rows }: IFieldsProps): JSX.Element {
  const shown = rows.filter(([, value]) => value !== null && value !== '');
  return (
    <dl className="jp-PipelinesViewer-fields">
      {shown.map(([name, value]) => (
        <React.Fragment key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </React.Fragment>
      ))}
    </dl>
  );
}

export function Section(props: {
  title: string;
  children: React.ReactNode;
}): JSX.Element {
  return (
    <section className="jp-PipelinesViewer-section">
      <h3>{props.title}</h3>
      {props.children}
    </section>
  );
}

/** Longer values are folded. */
const SHORT = 400;

/** A JSON value: text as it is, the rest as JSON; a long one unfolds on demand. */
export function Value(props: {
  value: unknown;
  trans: TranslationBundle;
}): JSX.Element {
  const { value, trans } = props;
  const text = typeof value === 'string' ? value : jsonText(value);
  const plain = typeof value === 'string' || !text.includes('\n');
  if (text === '') {
    return <span className="jp-mod-quiet">{trans.__('empty')}</span>;
  }
  if (text.length > SHORT) {
    return (
      <details className="jp-PipelinesViewer-long">
        <summary>{`${text.slice(0, 80)}…`}</summary>
        <pre>{text}</pre>
      </details>
    );
  }
  return plain ? <code>{text}</code> : <pre>{text}</pre>;
}

function jsonText(value: unknown): string {
  const flat = JSON.stringify(value) ?? 'null';
  return flat.length <= 60 ? flat : JSON.stringify(value, null, 2);
}

/** Names and values as a table; says so where there are none. */
export function ValueTable(props: {
  values: Readonly<Record<string, unknown>>;
  empty: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { values, empty, trans } = props;
  const names = Object.keys(values);
  if (!names.length) {
    return <p className="jp-mod-quiet">{empty}</p>;
  }
  return (
    <table className="jp-PipelinesViewer-table">
      <tbody>
        {names.map(name => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>
              <Value value={values[name]} trans={trans} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Says what is awaited, and after a while that it takes long. */
export function Waiting(props: {
  text: string;
  trans: TranslationBundle;
}): JSX.Element {
  const [long, setLong] = React.useState(false);
  React.useEffect(() => {
    const timer = setTimeout(() => setLong(true), 8000);
    return () => clearTimeout(timer);
  }, []);
  return (
    <p className="jp-mod-quiet" role="status">
      {props.text}
      {long &&
        ` ${props.trans.__('This takes longer than usual: the server is busy or cannot be reached.')}`}
    </p>
  );
}
