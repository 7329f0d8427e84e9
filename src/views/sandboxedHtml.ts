/** Renders untrusted HTML in two nested sandboxed frames; the only way a document is shown. */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

export const HTML_MIME = 'application/vnd.jupyterlab-pipelines.html+json';

const MIN_HEIGHT = 40;
const MAX_HEIGHT = 2400;
/** Until the document has told its height, or where its scripts never do. */
const FIRST_HEIGHT = 320;

/** Looks like it fetches something: only then is the network offered. */
const FETCHES =
  /(?:\b(?:src|href|import|url|fetch)\b\s*[=(]?\s*["'(]?\s*)(?:https?:)?\/\//i;

export class SandboxedHtml extends Widget implements IRenderMime.IRenderer {
  constructor(private readonly trans: TranslationBundle) {
    super();
    this.addClass('jp-PipelinesHtml');
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const data = model.data[HTML_MIME] as { html?: unknown } | undefined;
    const html = data?.html;
    if (typeof html !== 'string') {
      this.node.textContent = this.trans.__('This output holds no document.');
      return;
    }
    if (html !== this._html) {
      this._html = html;
      this._show(false);
    }
  }

  protected override onAfterAttach(message: Message): void {
    window.addEventListener('message', this._onMessage);
  }

  protected override onBeforeDetach(message: Message): void {
    window.removeEventListener('message', this._onMessage);
  }

  private _show(network: boolean): void {
    this.node.replaceChildren();
    if (!network && FETCHES.test(this._html)) {
      this.node.append(this._offer());
    }
    const frame = document.createElement('iframe');
    confine(frame, outerDocument(this._html, network));
    frame.title = this.trans.__('HTML output');
    frame.style.height = `${FIRST_HEIGHT}px`;
    this._frame = frame;
    this.node.append(frame);
  }

  private _offer(): HTMLElement {
    const line = document.createElement('div');
    line.className = 'jp-PipelinesHtml-offer';
    line.append(
      this.trans.__('This output asks for content from the network.') + ' '
    );
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'jp-Pipelines-link';
    button.textContent = this.trans.__('Allow network for this output');
    button.onclick = () => this._show(true);
    line.append(button);
    return line;
  }

  private readonly _onMessage = (event: MessageEvent): void => {
    if (!this._frame || event.source !== this._frame.contentWindow) {
      return;
    }
    const height = Number((event.data as { height?: unknown })?.height);
    if (Number.isFinite(height)) {
      const bounded = Math.min(MAX_HEIGHT, Math.max(MIN_HEIGHT, height));
      this._frame.style.height = `${Math.ceil(bounded)}px`;
    }
  };

  private _html = '';
  private _frame: HTMLIFrameElement | null = null;
}

/** A frame that may run scripts and nothing else. */
function confine(frame: HTMLIFrameElement, content: string): void {
  frame.setAttribute('sandbox', 'allow-scripts');
  frame.setAttribute('referrerpolicy', 'no-referrer');
  frame.setAttribute('allow', '');
  frame.srcdoc = content;
}

/** What a document may load; with `network`, from anywhere over https, still without cookies. */
function policy(network: boolean): string {
  const hosts = network ? ' https:' : '';
  return [
    "default-src 'none'",
    `script-src 'unsafe-inline' 'unsafe-eval' blob:${hosts}`,
    `style-src 'unsafe-inline'${hosts}`,
    `img-src data: blob:${hosts}`,
    `font-src data:${hosts}`,
    `media-src data:${hosts}`,
    `connect-src ${network ? 'https:' : "'none'"}`,
    "form-action 'none'",
    "base-uri 'none'"
  ].join('; ');
}

function withPolicy(html: string, text: string): string {
  // A policy governs only what comes after it: it stands first.
  return (
    '<!DOCTYPE html><meta charset="utf-8">' +
    `<meta http-equiv="Content-Security-Policy" content="${text}">${html}`
  );
}

/** Tells the frame around how high the document is, whenever that changes. */
const TELL_HEIGHT =
  '<script>(()=>{const tell=()=>parent.postMessage({height:document.documentElement.offsetHeight},"*");' +
  'addEventListener("load",tell);new ResizeObserver(tell).observe(document.documentElement)})()</script>';

/** Passes the inner document's height on, as a number and nothing else. */
const PASS_HEIGHT =
  '<script>addEventListener("message",e=>{if(e.source===frames[0])' +
  'parent.postMessage({height:Number(e.data&&e.data.height)},"*")})</script>';

/** A frame can always navigate itself; the outer one's `frame-src` keeps the inner one here. */
export function outerDocument(html: string, network: boolean): string {
  const inner = withPolicy(
    '<style>html{height:auto}body{margin:8px;height:auto}img{max-width:100%;height:auto}</style>' +
      TELL_HEIGHT +
      html,
    policy(network)
  );
  const frame = document.createElement('iframe');
  confine(frame, inner);
  frame.setAttribute(
    'style',
    'border:0;position:absolute;inset:0;width:100%;height:100%'
  );
  return withPolicy(
    `<body style="margin:0">${PASS_HEIGHT}${frame.outerHTML}</body>`,
    `${policy(network)}; frame-src 'none'`
  );
}
