/** React hooks: render again when a signal says so, or as time goes by. */
import type { ISignal } from '@lumino/signaling';
import { useEffect, useReducer, useState } from 'react';

/** Renders the component again whenever one of the signals emits. */
export function useSignals(...signals: ISignal<unknown, unknown>[]): void {
  const [, render] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    signals.forEach(signal => signal.connect(render));
    // Something may have changed between the rendering and this effect.
    render();
    return () => {
      signals.forEach(signal => signal.disconnect(render));
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, signals);
}

/** The time now in milliseconds, renewed every `interval` milliseconds. */
export function useNow(interval: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), interval);
    return () => clearInterval(timer);
  }, [interval]);
  return now;
}
