// What is shown: text of documents and answers only ever as text, never as markup.

// Control characters and marks of direction, which can turn a name around, are shown as a sign, as on a terminal.
export function visible(text) {
  return text.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, "\ufffd");
}

export function element(tag, options = {}, ...children) {
  const made = document.createElement(tag);
  const { text, name, label, press, ...rest } = options;
  if (text !== undefined) made.textContent = visible(text);
  if (name) made.className = name;
  if (label) made.setAttribute("aria-label", label);
  if (press) made.addEventListener("click", press);
  for (const [key, value] of Object.entries(rest)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Offsets count characters as Python does, where JavaScript counts units of UTF-16.
export function marked(text, spans, offset = 0) {
  const characters = Array.from(visible(text));
  const parts = [];
  let at = 0;
  for (const [start, end] of spans.map(([a, b]) => [a - offset, b - offset]).sort((a, b) => a[0] - b[0])) {
    if (end <= at || start >= characters.length) continue;
    const from = Math.max(at, start);
    parts.push(characters.slice(at, from).join(""));
    parts.push(element("mark", { text: characters.slice(from, end).join("") }));
    at = end;
  }
  parts.push(characters.slice(at).join(""));
  return parts;
}

// Blocks with columns, indents or prompts keep their layout in letters of one width.
const LAID_OUT = /^( {4}|\t|>>> |\$ |```|\|)|\S {3,}\S/m;

export function laidOut(text, spans) {
  const parts = [];
  let [at, run, wide, fenced] = [0, "", false, false];
  const show = () => {
    const shown = marked(run, spans, at);
    parts.push(...(wide ? [element("span", { name: "code" }, ...shown)] : shown));
    at += Array.from(run).length;
    run = "";
  };
  for (const block of text.split(/(\n\s*\n)/)) {
    if (block.trim() && (fenced || LAID_OUT.test(block)) !== wide) {
      show();
      wide = !wide;
    }
    if (block.split("```").length % 2 === 0) fenced = !fenced;
    run += block;
  }
  show();
  return parts;
}

// The words of a query, found in a passage without regard to case and endings.
export function matches(text, query) {
  const words = query.toLowerCase().match(/[\p{L}\p{N}]+/gu) || [];
  const stems = words.filter((word) => word.length > 2 || /[^\u0000-\u02ff]/.test(word));
  const lower = Array.from(text).map((one) => one.toLowerCase()[0]).join("");
  if (Array.from(lower).length !== lower.length) return [];
  const spans = [];
  for (const word of stems.map((one) => (one.length > 5 ? one.slice(0, -2) : one))) {
    for (let at = lower.indexOf(word); at >= 0; at = lower.indexOf(word, at + 1)) {
      if (/[a-z0-9]/.test(word[0]) && at > 0 && /[\p{L}\p{N}]/u.test(lower[at - 1])) continue;
      let end = at + word.length;
      if (/[a-z]/.test(word[0])) while (end < lower.length && /[\p{L}]/u.test(lower[end])) end += 1;
      spans.push([at, end]);
    }
  }
  return spans;
}

export function heading(title) {
  const parts = title.split(" › ");
  return { path: parts.slice(0, -1).join(" › "), last: parts.at(-1) };
}

export function titleOf(one) {
  return visible(one.title || one.id);
}
