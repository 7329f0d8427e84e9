/** Closes what is open over the panel when the user goes elsewhere. */
import { useEffect, type RefObject } from 'react';

/**
 * Calls `close` when the user clicks or tabs outside `root` while `open`.
 *
 * A focus that the lab itself moves, as when a document has loaded, closes nothing.
 */
export function useCloseOutside(
  root: RefObject<HTMLElement>,
  open: boolean,
  close: () => void
): void {
  useEffect(() => {
    if (!open) {
      return;
    }
    let byTab = false;
    const isOutside = (event: Event) =>
      !root.current?.contains(event.target as Node);
    const onMouseDown = (event: Event) => {
      if (isOutside(event)) {
        close();
      }
    };
    const onKeyDown = (event: KeyboardEvent) => {
      byTab = event.key === 'Tab';
    };
    const onFocusIn = (event: Event) => {
      if (byTab && isOutside(event)) {
        close();
      }
    };
    document.addEventListener('mousedown', onMouseDown, true);
    document.addEventListener('keydown', onKeyDown, true);
    document.addEventListener('focusin', onFocusIn, true);
    return () => {
      document.removeEventListener('mousedown', onMouseDown, true);
      document.removeEventListener('keydown', onKeyDown, true);
      document.removeEventListener('focusin', onFocusIn, true);
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [open]);
}
