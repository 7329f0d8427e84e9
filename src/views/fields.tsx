/** Labelled form fields with a hint and, in its place, what is wrong. */
import React, { useId } from 'react';

export interface IFieldProps {
  label: string;
  hint?: string;
  fault?: string | null;
  /** Set beside the label, e.g. a type. */
  note?: React.ReactNode;
  required?: boolean;
  children: (ids: { id: string; describedBy: string }) => React.ReactNode;
}

/** A label above a control; the control gets the ids that tie them together. */
export function Field(props: IFieldProps): JSX.Element {
  const { label, hint, fault, note, required, children } = props;
  const id = useId();
  const describedBy = `${id}-text`;
  return (
    <div className="jp-Pipelines-field" data-fault={fault ? '' : undefined}>
      <div className="jp-Pipelines-fieldHead">
        <label htmlFor={id}>
          {label}
          {required && <span className="jp-Pipelines-required"> *</span>}
        </label>
        {note && <span className="jp-Pipelines-fieldNote">{note}</span>}
      </div>
      {children({ id, describedBy })}
      <div
        id={describedBy}
        className={fault ? 'jp-Pipelines-fieldFault' : 'jp-Pipelines-fieldHint'}
        role={fault ? 'alert' : undefined}
      >
        {fault || hint}
      </div>
    </div>
  );
}

export interface ITextFieldProps extends Omit<
  React.InputHTMLAttributes<HTMLInputElement>,
  'onChange' | 'required'
> {
  label: string;
  hint?: string;
  fault?: string | null;
  note?: React.ReactNode;
  required?: boolean;
  onChange: (value: string) => void;
}

/** A one-line text. */
export function TextField(props: ITextFieldProps): JSX.Element {
  const { label, hint, fault, note, required, onChange, ...input } = props;
  return (
    <Field {...{ label, hint, fault, note, required }}>
      {({ id, describedBy }) => (
        <input
          {...input}
          id={id}
          type={input.type ?? 'text'}
          className="jp-Pipelines-input"
          aria-describedby={describedBy}
          aria-invalid={!!fault}
          aria-required={required}
          spellCheck={false}
          // Browsers fill in passwords where "off" says not to.
          autoComplete={input.type === 'password' ? 'new-password' : 'off'}
          onChange={event => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

export interface ISelectFieldProps {
  label: string;
  hint?: string;
  fault?: string | null;
  note?: React.ReactNode;
  required?: boolean;
  value: string;
  options: readonly { value: string; label: string }[];
  onChange: (value: string) => void;
}

/** One of a few. */
export function SelectField(props: ISelectFieldProps): JSX.Element {
  const { value, options, onChange, ...field } = props;
  return (
    <Field {...field}>
      {({ id, describedBy }) => (
        <select
          id={id}
          className="jp-Pipelines-input"
          aria-describedby={describedBy}
          value={value}
          onChange={event => onChange(event.target.value)}
        >
          {options.map(option => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
