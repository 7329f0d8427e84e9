/** Closes what is open over the panel when the user goes elsewhere. */
import { useEffect, type RefObject } from 'react';

/** Calls `close` when the user clicks or tabs outside `root` while `open`. */
export function useCloseOutside(
  root: RefObject<HTMLElement>,
  open: boolean,
  close: () => void
): void {
  useEffect(() => {
    if (!open) {
      return;
    }
    const onEvent = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) {
        close();
      }
    };
    document.addEventListener('mousedown', onEvent, true);
    document.addEventListener('focusin', onEvent, true);
    return () => {
      document.removeEventListener('mousedown', onEvent, true);
      document.removeEventListener('focusin', onEvent, true);
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [open]);
}
