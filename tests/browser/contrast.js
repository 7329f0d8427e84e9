/**
 * How well the parts of an element stand out in each state, by what the browser computes.
 *
 * `holder` carries `data-pipelines-state`; `parts` are `{ selector, paint, under }`: what to look
 * at inside it (empty: itself), the property it is painted with, and the selectors of shapes that
 * are painted between it and the page's own ground, from below. Answers
 * `{ "STATE selector paint": ratio }` by the formula of WCAG 2.
 */
(holder, { states, parts }) => {
  const parse = css => {
    const [r, g, b, alpha = 1] = css.match(/[\d.]+(e-?\d+)?/g).map(Number);
    const scale = css.startsWith('color(') ? 255 : 1;
    return { rgb: [r * scale, g * scale, b * scale], alpha };
  };
  const over = (ground, { rgb, alpha }) =>
    rgb.map((value, i) => value * alpha + ground[i] * (1 - alpha));
  const luminance = rgb => {
    const [r, g, b] = rgb
      .map(value => value / 255)
      .map(v => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort(
      (a, b) => a - b
    );
    return (high + 0.05) / (low + 0.05);
  };
  const paintOf = (element, property) => {
    const style = getComputedStyle(element);
    const { rgb, alpha } = parse(style[property]);
    const own =
      { fill: style.fillOpacity, stroke: style.strokeOpacity }[property] ?? 1;
    return { rgb, alpha: alpha * Number(own) * Number(style.opacity) };
  };
  const groundOf = element => {
    const line = [];
    for (let one = element; one; one = one.parentElement) {
      line.unshift(one);
    }
    return line
      .filter(one => one instanceof HTMLElement)
      .reduce(
        (ground, one) => over(ground, paintOf(one, 'backgroundColor')),
        [255, 255, 255]
      );
  };
  const answer = {};
  const before = holder.getAttribute('data-pipelines-state');
  for (const state of states) {
    holder.setAttribute('data-pipelines-state', state);
    for (const { selector, paint, under = [] } of parts) {
      const part = selector ? holder.querySelector(selector) : holder;
      const ground = under
        .map(one => paintOf(holder.querySelector(one), 'fill'))
        .reduce(over, groundOf(part));
      const found = ratio(over(ground, paintOf(part, paint)), ground);
      answer[`${state} ${selector} ${paint}`] = found;
    }
  }
  holder.setAttribute('data-pipelines-state', before);
  return answer;
};
