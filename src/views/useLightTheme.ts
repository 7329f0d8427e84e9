/** React hook: whether JupyterLab's theme is a light one, renewed when the user changes it. */
import { useSyncExternalStore } from 'react';

/** What JupyterLab marks the page with. */
const ATTRIBUTE = 'data-jp-theme-light';

export function useLightTheme(): boolean {
  return useSyncExternalStore(listen, isLight);
}

function isLight(): boolean {
  return document.body.getAttribute(ATTRIBUTE) !== 'false';
}

function listen(onChange: () => void): () => void {
  const observer = new MutationObserver(onChange);
  observer.observe(document.body, { attributeFilter: [ATTRIBUTE] });
  return () => observer.disconnect();
}
