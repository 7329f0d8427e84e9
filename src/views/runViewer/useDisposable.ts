/** A React hook for a model that lives as long as what it was made for. */
import type { IDisposable } from '@lumino/disposable';
import React from 'react';

/** Makes a model in an effect and disposes it when `deps` change; null before the first effect. */
export function useDisposable<T extends IDisposable>(
  make: () => T,
  deps: React.DependencyList
): T | null {
  const [made, setMade] = React.useState<T | null>(null);
  React.useEffect(() => {
    const one = make();
    setMade(one);
    return () => {
      setMade(null);
      one.dispose();
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, deps);
  return made;
}
