// The page: one question at a time; the newest one counts, and what came before it is given up.

import { WORDS } from "./words.js";
import { Refused, events, read, useToken } from "./server.js";
import { element, heading, laidOut, marked, matches, titleOf } from "./view.js";

const byId = (id) => document.getElementById(id);
const results = byId("results");
const query = byId("query");
const where = byId("where");
const state = { mode: "ask", language: "en", before: "", status: null };
let running = new AbortController();

const say = () => WORDS[state.language];

// Language and mode

function setLanguage(language) {
  state.language = language;
  localStorage.setItem("language", language);
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = say().title;
  for (const one of document.querySelectorAll("[data-say]")) one.textContent = say()[one.dataset.say];
  byId("language").textContent = say().other;
  byId("language").lang = language === "zh" ? "en" : "zh-CN";
  showStatus();
  setMode(state.mode, false);
}

function setMode(mode, fresh = true) {
  state.mode = mode;
  placeForm(mode === "chat");
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const chosen = tab.dataset.mode === mode;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
  }
  byId("panel").setAttribute("aria-labelledby", `tab-${mode}`);
  query.placeholder = say().placeholders[mode];
  byId("label").textContent = say().placeholders[mode];
  byId("go").textContent = say().go[mode];
  byId("about-mode").textContent = say().about[mode];
  if (!fresh) return;
  running.abort();
  state.before = "";
  results.replaceChildren();
  tell("");
}

// A conversation grows downwards, so that its form stands below it.
function placeForm(below) {
  const form = byId("form");
  if (form.classList.contains("below") === below) return; // what is moved loses the focus
  form.classList.toggle("below", below);
  if (below) byId("panel").append(byId("state"), form);
  else { byId("panel").prepend(form); results.before(byId("state")); }
}

function showStatus() {
  showFilters();
  if (!state.status) return;
  byId("about").textContent = `${state.status.index} · ${say().documents(state.status.documents)}`;
  const fields = state.status.fields.map((name) => element("button", { type: "button", name: "field", text: name, press: () => addFilter(name) }));
  byId("fields").replaceChildren(...(fields.length ? [say().fields, ...fields, say().several] : []));
}

function showFilters() {
  byId("filters").textContent = say().filters(asked().where.length);
}

function addFilter(field) {
  where.value = [where.value.trim().replace(/,$/, ""), `${field}=`].filter(Boolean).join(", ");
  where.focus();
}

function tell(text) {
  byId("state").textContent = text;
}

// One request at a time

async function once(work) {
  running.abort();
  const own = (running = new AbortController());
  results.setAttribute("aria-busy", "true");
  try {
    await work(own.signal);
  } catch (error) {
    if (own.signal.aborted) return;
    fail(error);
  } finally {
    if (running === own) results.setAttribute("aria-busy", "false");
  }
}

function fail(error) {
  if (!(error instanceof Refused)) return tell(say().failed);
  if (error.status === 401) return byId("key").open || byId("key").showModal();
  if (error.status === 404) return tell(say().nothing);
  return tell([error.message, error.hint].filter(Boolean).join(" – "));
}

// A comma separates filters only where another one follows: "from=Bob, Ada" is one.
function asked() {
  const filters = where.value.split(/,(?=[^,=<>!]+[=<>!])/).map((one) => one.trim()).filter(Boolean);
  return { text: query.value.trim(), where: filters };
}

// The address keeps what was asked, for the way back and for bookmarks; the server does not see this part.

function remember(adds) {
  const kept = { mode: state.mode, q: state.mode === "chat" ? "" : query.value.trim(), where: where.value.trim() };
  const hash = `#${new URLSearchParams(Object.entries(kept).filter(([, value]) => value))}`;
  if (hash !== location.hash) history[adds ? "pushState" : "replaceState"](null, "", hash);
}

function recall() {
  const kept = new URLSearchParams(location.hash.slice(1));
  query.value = kept.get("q") || "";
  where.value = kept.get("where") || "";
  setMode(Object.hasOwn(say().go, kept.get("mode")) ? kept.get("mode") : "ask");
  showFilters();
  if (!query.value) return;
  remember(false);
  void go();
}

function go() {
  return state.mode === "search" ? search() : ask();
}

// Search

function search() {
  const { text, where } = asked();
  remember(false);
  if (!text) {
    running.abort();
    results.replaceChildren();
    return tell("");
  }
  return once(async (signal) => {
    const hits = await read("/search", { query: text, k: 20, where }, signal);
    tell(hits.length ? say().found(hits.length) : say().nothing);
    results.replaceChildren(element("ol", { name: "hits" }, ...hits.map((hit) => hitView(hit, text))));
  });
}

function hitView(hit, text) {
  const { path, last } = heading(titleOf(hit));
  const spans = matches(hit.text, text);
  const show = () => openDocument(hit.id, [[hit.start, hit.end]]);
  return element("li", {},
    element("button", { type: "button", name: "hit", press: show },
      element("span", { name: "path", text: path || hit.id }),
      element("span", { name: "title" }, ...marked(last, matches(last, text))),
      element("span", { name: "passage" }, ...snippet(hit.text, spans))));
}

function snippet(text, spans) {
  const characters = Array.from(text);
  const first = spans.length ? Math.min(...spans.map(([start]) => start)) : 0;
  const start = characters.length > 320 && first > 240 ? wordAt(characters, first - 60, 1) : 0;
  const end = start + 320 < characters.length ? wordAt(characters, start + 320, -1) : characters.length;
  const parts = marked(characters.slice(start, end).join(""), spans, start);
  return [start ? "… " : "", ...parts, end < characters.length ? " …" : ""];
}

// The nearest place between two words; in writing without spaces, the place itself.
function wordAt(characters, place, by) {
  for (let at = place; Math.abs(at - place) < 20; at += by) if (/\s/.test(characters[at] ?? " ")) return at;
  return place;
}

// Answers

function ask() {
  const { text, where } = asked();
  if (!text) return undefined;
  remember(true);
  const chats = state.mode === "chat";
  const place = element("article", { name: "answer" });
  if (chats) {
    results.append(element("p", { name: "said" }, element("span", { name: "unseen", text: `${say().you}: ` }), text), place);
    query.value = "";
  } else {
    results.replaceChildren(place);
  }
  const [path, body] = state.mode === "review" ? ["/review", { title: text, where }]
    : ["/ask", { question: text, where, before: chats ? state.before : "" }];
  return once((signal) => follow(path, body, place, chats, signal));
}

async function follow(path, body, place, chats, signal) {
  tell(say().working);
  const pieces = [];
  for await (const event of events(path, body, signal)) {
    if (event.error) throw new Refused(400, event.error);
    if (event.answer) {
      showAnswer(place, event.answer, pieces);
      if (chats) state.before = event.answer.question || state.before;
      tell("");
    } else {
      pieces.push(event);
      place.append(element("span", { text: event.text }));
    }
  }
  if (chats) place.previousElementSibling.scrollIntoView({ block: "start" });
}

function showAnswer(place, answer, pieces) {
  const sources = new Map(answer.sources.map((source) => [source.n, source]));
  const blocks = answer.style === "free" ? answer.sentences : pieces;
  const paragraphs = blocks.map((block, i) => paragraph(block, answer.sentences[i], sources));
  const flowing = answer.style === "free" || answer.title !== undefined;
  const body = element("div", { name: flowing ? "text flowing" : "text" }, ...paragraphs);
  const sure = answer.abstained || answer.confidence === null ? [] : [confidence(answer.confidence)];
  const parts = answer.abstained ? silence(answer, sources) : blocks.length ? [body] : [element("p", { text: answer.answer })];
  place.replaceChildren(...parts, ...sure, ...sourcesView(answer));
}

function paragraph(block, sentence, sources) {
  const source = sources.get(sentence?.source);
  const cite = source ? [" ", citation(source, sentence)] : [];
  return element("p", { name: source ? "" : "unsupported" }, ...laidOut(block.text.trim(), []), ...cite);
}

function citation(source, span) {
  const press = () => openDocument(source.id, [[span.start, span.end]]);
  return element("button", { type: "button", name: "cite", text: String(source.n), label: say().cite(source.n, titleOf(source)), press });
}

function silence(answer, sources) {
  const missing = answer.missing.map((one) => one.name);
  const why = missing.length ? say().missing(missing) : answer.nearest ? say().abstained : say().none;
  const parts = [element("p", { name: "silence", text: why })];
  if (answer.nearest) parts.push(paragraph(answer.nearest, answer.nearest, sources));
  return parts;
}

function confidence(value) {
  const word = value >= 0.8 ? "sure" : value >= 0.6 ? "likely" : "unsure";
  return element("p", { name: `confidence ${word}`, text: say()[word] });
}

function sourcesView(answer) {
  const cited = new Set(answer.sentences.map((one) => one.source));
  const shown = answer.sources.filter((source) => !cited.size || cited.has(source.n));
  if (!shown.length) return [];
  return [element("h2", { text: answer.abstained ? say().nearest : say().sources }),
    element("ol", { name: "sources" }, ...shown.map((source) => sourceView(source, answer.sentences)))];
}

function sourceView(source, sentences) {
  const spans = sentences.filter((one) => one.source === source.n).map((one) => [one.start, one.end]);
  const { path, last } = heading(titleOf(source));
  const press = () => openDocument(source.id, spans.length ? spans : [[source.start, source.end]]);
  return element("li", {}, element("button", { type: "button", name: "source", press },
    element("span", { name: "number", text: String(source.n) }),
    element("span", { name: "title", text: last }), element("span", { name: "path", text: path || source.id })));
}

// Documents

async function openDocument(id, spans) {
  try {
    const found = await read(`/document?id=${encodeURIComponent(id)}`);
    const { path, last } = heading(titleOf(found));
    byId("document-path").textContent = path;
    byId("document-title").textContent = last;
    byId("document-facts").replaceChildren(...facts(found));
    byId("document-text").replaceChildren(...laidOut(found.text, spans));
    byId("document").showModal();
    byId("document-title").focus();
    byId("document-text").querySelector("mark")?.scrollIntoView({ block: "center" });
  } catch (error) {
    fail(error);
  }
}

function facts(found) {
  const shown = Object.entries(found.metadata).filter(([, value]) => typeof value !== "object");
  return [["id", found.id], ...shown].map(([name, value]) =>
    element("div", {}, element("dt", { text: name }), element("dd", { text: String(value) })));
}

// Keys and events

function choose(mode) {
  setMode(mode);
  remember(true);
  if (mode === "search") void search();
}

function step(list, from, by) {
  const places = [...list];
  const next = places[Math.max(0, Math.min(places.length - 1, places.indexOf(from) + by))];
  next?.focus();
  return next;
}

let typing = 0;
function typed(event) {
  showFilters();
  if (state.mode !== "search" || event.isComposing) return;
  clearTimeout(typing);
  typing = setTimeout(search, 150);
}
byId("panel").addEventListener("input", typed);
byId("panel").addEventListener("compositionend", typed);
byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  void go();
});
byId("tabs").addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]");
  if (tab) { choose(tab.dataset.mode); query.focus(); }
});
byId("tabs").addEventListener("keydown", (event) => {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (by) choose(step(document.querySelectorAll("[role=tab]"), event.target, by).dataset.mode);
});
byId("panel").addEventListener("keydown", (event) => {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by || event.target.id === "where") return;
  const places = byId("panel").querySelectorAll("#query, #results button");
  event.preventDefault();
  step(places, event.target, by);
});
document.addEventListener("keydown", (event) => {
  const writes = event.target.closest?.("input, textarea, dialog");
  if (event.key === "/" && !writes) { event.preventDefault(); query.focus(); query.select(); }
});
byId("close").addEventListener("click", () => byId("document").close());
byId("document").addEventListener("click", (event) => {
  if (event.target === byId("document")) byId("document").close();
});
byId("language").addEventListener("click", () => setLanguage(state.language === "en" ? "zh" : "en"));
byId("key-form").addEventListener("submit", () => {
  useToken(byId("token").value.trim());
  void start().then(() => query.value && go());
});
window.addEventListener("popstate", recall);

async function start() {
  try {
    state.status = await read("/status");
    showStatus();
  } catch (error) {
    fail(error);
  }
}

const usual = localStorage.getItem("language") || (navigator.language.startsWith("zh") ? "zh" : "en");
setLanguage(usual);
recall();
query.focus();
void start();
