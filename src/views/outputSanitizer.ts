/** Sanitizes what runs wrote before it enters the page: stricter than JupyterLab's own settings. */
import { Sanitizer } from '@jupyterlab/apputils';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';

const TAGS = (
  'a abbr b blockquote br caption cite code col colgroup dd del details dfn div dl dt em ' +
  'figcaption figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp section ' +
  'small span strong sub summary sup table tbody td tfoot th thead time tr tt u ul var'
).split(' ');

const ATTRIBUTES: Record<string, string[]> = {
  '*': ['class', 'title', 'lang', 'dir'],
  a: ['href'],
  img: ['src', 'alt', 'width', 'height'],
  ol: ['start', 'type'],
  details: ['open'],
  td: ['align', 'colspan', 'rowspan'],
  th: ['align', 'colspan', 'rowspan', 'scope']
};

/** Classes by which JupyterLab and Lumino find and style their own elements. */
const RESERVED_CLASS = /^(jp|lm|p|cm)-/i;

/** The only images that load nothing from anywhere. */
const INLINE_IMAGE = /^data:image\/(png|jpeg|gif|webp);base64,/i;

/** A link within the document leads nowhere without ids: it would open the lab once more. */
const LINK = /^(https?:|mailto:)/i;

/**
 * No command linker, no `data-*`, no styles, no reserved classes, no image that is fetched:
 * a report must neither look like the lab, nor press its buttons, nor tell who opened it.
 */
export class OutputSanitizer implements IRenderMime.ISanitizer {
  readonly allowNamedProperties = false;
  readonly allowCommandLinker = false;

  getAutolink(): boolean {
    return true;
  }

  sanitize(dirty: string, options?: IRenderMime.ISanitizerOptions): string {
    const clean = this._sanitizer.sanitize(dirty, {
      allowedTags: options?.allowedTags
        ? options.allowedTags.filter(tag => TAGS.includes(tag))
        : TAGS,
      allowedAttributes: ATTRIBUTES,
      allowedStyles: {}
    });
    const document = new DOMParser().parseFromString(clean, 'text/html');
    document.body.querySelectorAll('*').forEach(restrict);
    return document.body.innerHTML;
  }

  private readonly _sanitizer = new Sanitizer();
}

function restrict(element: Element): void {
  const kept = [...element.classList].filter(
    name => !RESERVED_CLASS.test(name)
  );
  if (kept.length) {
    element.className = kept.join(' ');
  } else {
    element.removeAttribute('class');
  }
  if (!INLINE_IMAGE.test(element.getAttribute('src') ?? '')) {
    element.removeAttribute('src');
  }
  const link = element.getAttribute('href');
  if (link !== null) {
    if (LINK.test(link.trim())) {
      element.setAttribute('target', '_blank');
      element.setAttribute('rel', 'noopener noreferrer');
    } else {
      element.removeAttribute('href');
    }
  }
}
