import { nullTranslator } from '@jupyterlab/translation';
import { MimeModel } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';
import { OutputSanitizer } from '../outputSanitizer';
import { HTML_MIME, outerDocument, SandboxedHtml } from '../sandboxedHtml';

describe('OutputSanitizer', () => {
  const sanitize = (html: string) => new OutputSanitizer().sanitize(html);

  it('keeps what a report is made of', () => {
    const html =
      '<h1>Digits</h1><table><tbody><tr><td align="right">0.96</td></tr></tbody></table>';
    expect(sanitize(html)).toBe(html);
  });

  it.each([
    ['<script>alert(1)</script>'],
    ['<img src="x" onerror="alert(1)">'],
    ['<img src="https://tracker.example/p.png">'],
    ['<img srcset="https://tracker.example/p.png">'],
    ['<a href="javascript:alert(1)">x</a>'],
    ['<a href="/lab/api/kernels">x</a>'],
    ['<button data-commandlinker-command="terminal:create-new">x</button>'],
    ['<span data-commandlinker-command="apputils:reset">x</span>'],
    ['<p style="position:fixed;inset:0">x</p>'],
    ['<style>body{display:none}</style>'],
    ['<iframe srcdoc="x"></iframe>'],
    ['<form action="https://x.example"><input name="a"></form>'],
    ['<svg><script>alert(1)</script></svg>'],
    ['<math><mtext><img src=x onerror=alert(1)></mtext></math>'],
    ['<video src="https://tracker.example/v.mp4"></video>'],
    ['<p id="jp-main-dock-panel" name="x">x</p>'],
    ['<p class="jp-Dialog lm-Widget">x</p>']
  ])('takes the danger out of %s', html => {
    const clean = sanitize(html);
    const forbidden =
      /script|onerror|tracker|javascript:|commandlinker|style|iframe|form|<svg|<math|srcset|\bid=|jp-|lm-|href="\//i;
    expect(clean).not.toMatch(forbidden);
  });

  it('keeps no link into the lab itself', () => {
    expect(sanitize('<a href="#top">x</a>')).toBe('<a>x</a>');
    expect(sanitize('<a href="lab?reset">x</a>')).toBe('<a>x</a>');
  });

  it('keeps inline images and outside links, in a tab of their own', () => {
    const image = 'data:image/png;base64,iVBORw0KGgo=';
    expect(sanitize(`<img src="${image}">`)).toContain(image);
    expect(sanitize('<a href="https://kubeflow.org">k</a>')).toBe(
      '<a href="https://kubeflow.org" target="_blank" rel="noopener noreferrer">k</a>'
    );
  });
});

describe('outerDocument', () => {
  const page = new DOMParser().parseFromString(
    outerDocument('<p id="mine">"quoted" & <b>bold</b></p>', false),
    'text/html'
  );
  const frame = page.querySelector('iframe')!;
  const inner = new DOMParser().parseFromString(frame.srcdoc, 'text/html');

  it('nests a frame that may run scripts and nothing else', () => {
    expect(frame.getAttribute('sandbox')).toBe('allow-scripts');
    expect(frame.getAttribute('referrerpolicy')).toBe('no-referrer');
    expect(frame.getAttribute('allow')).toBe('');
    expect(inner.querySelector('#mine')?.textContent).toBe('"quoted" & bold');
  });

  it('puts the policy first, and lets the inner frame go nowhere', () => {
    const policies = [page, inner].map(one => {
      const meta = one.head.querySelector('meta[http-equiv]')!;
      expect(meta.previousElementSibling?.getAttribute('charset')).toBe(
        'utf-8'
      );
      return meta.getAttribute('content')!;
    });
    expect(policies[0]).toContain("frame-src 'none'");
    for (const policy of policies) {
      expect(policy).toMatch(/^default-src 'none'/);
      expect(policy).toContain("connect-src 'none'");
      expect(policy).not.toContain('https:');
    }
  });

  it('opens the network only where it is allowed', () => {
    expect(outerDocument('x', true)).toContain('connect-src https:');
  });
});

describe('SandboxedHtml', () => {
  const trans = nullTranslator.load('jupyterlab_pipelines');

  async function shown(html: unknown): Promise<SandboxedHtml> {
    const widget = new SandboxedHtml(trans);
    Widget.attach(widget, document.body);
    const data = { [HTML_MIME]: { html } as never };
    await widget.renderModel(new MimeModel({ data }));
    return widget;
  }

  it('never puts the document into the page itself', async () => {
    const widget = await shown('<p class="mine">x</p>');
    expect(widget.node.querySelector('.mine')).toBeNull();
    expect(widget.node.querySelectorAll('iframe')).toHaveLength(1);
    expect(widget.node.querySelector('iframe')?.getAttribute('sandbox')).toBe(
      'allow-scripts'
    );
    widget.dispose();
  });

  it('offers the network where the document asks for it', async () => {
    const plain = await shown('<p>see https://example.org</p>');
    expect(plain.node.querySelector('button')).toBeNull();
    plain.dispose();
    const asking = await shown(
      '<script src="https://cdn.example/x.js"></script>'
    );
    asking.node.querySelector('button')!.click();
    expect(asking.node.querySelector('button')).toBeNull();
    expect(asking.node.querySelector('iframe')!.srcdoc).toContain('script-src');
    asking.dispose();
  });

  it('takes a height only from its own frame, and bounds it', async () => {
    const widget = await shown('<p>x</p>');
    const frame = widget.node.querySelector('iframe')!;
    const tell = (source: unknown, height: unknown) =>
      window.dispatchEvent(
        new MessageEvent('message', {
          source: source as Window,
          data: { height }
        })
      );
    const before = frame.style.height;
    tell(window, 777);
    tell(frame.contentWindow, 'tall');
    expect(frame.style.height).toBe(before);
    tell(frame.contentWindow, 123.4);
    expect(frame.style.height).toBe('124px');
    tell(frame.contentWindow, 1e9);
    expect(frame.style.height).toBe('2400px');
    widget.dispose();
  });

  it('says so when there is no document', async () => {
    const widget = await shown(42);
    expect(widget.node.textContent).toBe('This output holds no document.');
    widget.dispose();
  });
});
