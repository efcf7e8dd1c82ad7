// The server's paths: JSON, and the events of an answer that is being written.

let token = sessionStorage.getItem("token") || "";

export class Refused extends Error {
  constructor(status, error) {
    super(error.message || String(status));
    this.status = status;
    this.hint = error.hint || "";
  }
}

export function useToken(value) {
  token = value;
  sessionStorage.setItem("token", value);
}

async function ask(path, body, signal) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const sent = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(path, { headers, signal, ...sent });
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    throw new Refused(response.status, told.error || {});
  }
  return response;
}

export async function read(path, body, signal) {
  return (await ask(path, body, signal)).json();
}

export async function* events(path, body, signal) {
  const response = await ask(path, { ...body, stream: true }, signal);
  let rest = "";
  for await (const text of chunks(response)) {
    const parts = (rest + text).split("\n\n");
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part.slice("data: ".length));
  }
}

async function* chunks(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
