// The HTTP API of `clipsonic serve`. All addresses are relative, so that the page works behind a path prefix.

const TOKEN = "clipsonic-token"; // sessionStorage: gone when the tab is closed

export class ApiError extends Error {
  constructor(status, message, retryAfter = null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter; // seconds, when the queue is full
  }
}

export const setToken = (token) => sessionStorage.setItem(TOKEN, token);

/** Fetch an address with the token; throw an ApiError with the server's own words if it fails. */
async function request(address, options = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  let response;
  try {
    response = await fetch(address, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server cannot be reached.");
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  const after = Number(response.headers.get("Retry-After")) || null;
  throw new ApiError(response.status, body.error || `The server answered with status ${response.status}.`, after);
}

/** Parse JSON; a seed stays text, since numbers here are exact up to 2^53 only. */
const parse = (text) => JSON.parse(text.replace(/"seed":\s*(\d+)/g, '"seed":"$1"'));
const json = async (address, options) => parse(await (await request(address, options)).text());

export const about = () => json("v1/about");
export const submit = (form) => json("v1/sounds", { method: "POST", body: form });
export const look = (id) => json(`v1/sounds/${id}`);
export const remove = (id) => request(`v1/sounds/${id}`, { method: "DELETE" });
export const clipFile = async (id, number, kind, level) =>
  (await request(`v1/sounds/${id}/clips/${number}.${kind}${level ? "?level=true" : ""}`)).blob();
export const clipMetadata = (id, number) => json(`v1/sounds/${id}/clips/${number}.json`);

/** Yield the states of a sound from its event stream until it has ended. */
export async function* follow(id, signal) {
  const response = await request(`v1/sounds/${id}/events`, { signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text = (text + value).replaceAll("\r\n", "\n");
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const data = text.slice(0, end).split("\n").filter((line) => line.startsWith("data:"));
      if (data.length) yield parse(data.map((line) => line.slice(5)).join("\n"));
    }
  }
}
