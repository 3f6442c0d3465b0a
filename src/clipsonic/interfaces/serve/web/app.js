// The page of `clipsonic serve`: a form, the queue's progress, and the clips of this visit.

import * as api from "./api.js";
import { card } from "./clips.js";

const HISTORY = "clipsonic-sounds"; // sessionStorage: ids of this tab's sounds, oldest first, the running one last
const MOST_KEPT = 50;
const $ = (id) => document.getElementById(id);
const form = $("request");
let server; // what the server says of itself: limits, labels, bridges
let files = []; // chosen images and at most one video
let running = null; // {id, abort} of the sound being made

// ---- Start: ask the server about itself, or for the token first.

async function start() {
  try {
    server = await api.about();
  } catch (error) {
    if (error.status !== 401) return showError(error.message, true);
    $("token-form").hidden = false;
    $("token").focus();
    return;
  }
  $("token-form").hidden = true;
  $("app").hidden = false;
  describe();
  await restore();
}

$("token-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  api.setToken($("token").value.trim());
  await start();
  $("token-error").hidden = !$("app").hidden;
  $("token-error").textContent = "The token is wrong.";
});

/** Fill the form with what this server's model and limits are. */
function describe() {
  const { limits, bridges, bridge, steps, seconds, labels } = server;
  $("prompt").maxLength = $("negative").maxLength = limits.prompt_characters;
  Object.assign($("seconds"), { min: limits.min_seconds, max: limits.seconds, placeholder: `${seconds}, or the video's` });
  $("number").max = limits.clips;
  Object.assign($("steps"), { max: limits.steps, placeholder: steps });
  $("drop").hidden = !limits.images;
  $("bridge-field").hidden = bridges.length < 2;
  $("bridge").replaceChildren(...bridges.map((name) => new Option(name, name, name === bridge, name === bridge)));
  const known = labels.length ? labels : ["a photo of a dog", "rain", "a violin", "sea waves", "a rooster", "a train"];
  if (labels.length) $("welcome-text").textContent = `This model knows ${labels.length} sounds. Choose one to hear it:`;
  $("labels").replaceChildren(...known.map((label) => {
    const [item, button] = [document.createElement("li"), document.createElement("button")];
    Object.assign(button, { type: "button", textContent: label });
    button.addEventListener("click", () => {
      $("prompt").value = label;
      setFiles([]);
      generate(true);
    });
    item.append(button);
    return item;
  }));
}

// ---- The request.

/** Read the form => FormData of the API; throw an Error with what is wrong. */
function read() {
  const body = new FormData();
  const prompt = $("prompt").value.trim();
  if (!prompt && !files.length) throw new Error("Write a prompt, or choose an image or a video.");
  if (prompt) body.append("prompt", prompt);
  for (const file of files) body.append(file.type.startsWith("video/") ? "video" : "image", file, file.name);
  for (const name of ["seconds", "number", "guidance_scale", "steps"]) {
    const field = $(name);
    const label = form.querySelector(`label[for="${name}"]`).textContent;
    if (field.validity.badInput) throw new Error(`${label} must be a number.`);
    if (field.validity.rangeUnderflow || field.validity.rangeOverflow) {
      throw new Error(`${label} must be between ${field.min} and ${field.max}, got ${field.value}.`);
    }
    if (field.value) body.append(name, field.value);
  }
  const seed = $("seed").value.trim();
  if (seed && !/^\d{1,19}$/.test(seed)) throw new Error(`Seed must be a whole number, got ${seed}.`);
  if (seed) body.append("seed", seed);
  const negative = $("negative").value.trim();
  if (negative && Number($("guidance_scale").value) <= 1) throw new Error("A negative prompt requires a guidance scale above 1.");
  if (negative) body.append("negative", negative);
  if (server.bridges.length > 1) body.append("bridge", $("bridge").value);
  return body;
}

async function generate(play = false) {
  if (running) return;
  hideError();
  let body;
  try {
    body = read();
  } catch (error) {
    return showError(error.message);
  }
  busy(true);
  status("Sending the request.");
  try {
    const sound = await api.submit(body);
    remember(sound.id);
    await follow(sound.id, play);
  } catch (error) {
    showError(error.retryAfter ? `The queue is full; try again in about ${duration(error.retryAfter)}.` : sentence(error.message));
    status("");
  } finally {
    busy(false);
  }
}

/** Show a sound's progress until it has ended, then its clips. */
async function follow(id, play) {
  const abort = new AbortController();
  running = { id, abort };
  busy(true);
  let sound = null;
  try {
    for await (sound of api.follow(id, abort.signal)) {
      const left = `about ${duration(sound.seconds_left)} left`;
      status(sound.state === "waiting" ? `Waiting; ${sound.ahead} before this one.` : `Generating; ${left}.`);
      $("progress").hidden = false;
      $("progress").value = sound.progress;
    }
  } catch (error) {
    if (error.name !== "AbortError") throw error;
    sound = { state: "cancelled" };
  } finally {
    running = null;
    $("progress").hidden = true;
    busy(false);
  }
  if (sound?.state !== "done") {
    forget(id);
    if (sound?.state === "cancelled") return status("Cancelled.");
    status("");
    return showError(sentence(sound?.error || "The server closed the connection."));
  }
  status(sound.clips.length === 1 ? "Done." : `Done: ${sound.clips.length} clips.`);
  const first = await show(sound);
  first.scrollIntoView({ block: "nearest", behavior: "smooth" });
  if (play) first.querySelector("audio, video").play().catch(() => {}); // browsers may refuse to play unasked
}

/** Put the cards of a finished sound on top of the list => the first. */
async function show(sound) {
  const cards = [];
  for (let number = 1; number <= sound.clips.length; number++) {
    cards.push(await card(sound, number, {
      level: $("level").checked,
      bands: server.bands,
      onRemove: (root) => {
        root.remove();
        if (cards.every((each) => !each.isConnected)) {
          forget(sound.id);
          api.remove(sound.id).catch(() => {}); // it may be gone already
        }
      },
    }));
  }
  $("clips").prepend(...cards);
  return cards[0];
}

function cancel() {
  if (!running) return;
  const { id, abort } = running;
  abort.abort();
  api.remove(id).catch(() => {}); // it may have ended meanwhile
}

form.addEventListener("submit", (event) => { event.preventDefault(); generate(); });
$("cancel").addEventListener("click", cancel);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") cancel();
  const player = document.activeElement?.closest?.(".clip")?.querySelector("audio, video");
  if (event.key === " " && player && document.activeElement.matches(".clip")) {
    event.preventDefault();
    if (player.paused) player.play(); else player.pause();
  }
});

// ---- Files: chosen, dropped or pasted anywhere on the page.

function setFiles(chosen) {
  for (const old of $("files").querySelectorAll("[src]")) URL.revokeObjectURL(old.src);
  const media = [...chosen].filter((file) => /^(image|video)\//.test(file.type));
  if (media.length < chosen.length) showError("Only images and videos can be used.");
  const video = media.find((file) => file.type.startsWith("video/"));
  files = video ? [video] : media.slice(0, server.limits.images);
  if (files.length < media.length) showError(video ? "A video is used alone." : `At most ${server.limits.images} images can be used.`);
  $("files").replaceChildren(...files.map((file) => {
    const item = document.createElement("li");
    const preview = document.createElement(file.type.startsWith("video/") ? "video" : "img");
    preview.src = URL.createObjectURL(file);
    preview.muted = true;
    if (preview.alt !== undefined) preview.alt = "";
    const name = document.createElement("span");
    name.textContent = file.name;
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "remove", textContent: "×" });
    button.setAttribute("aria-label", `Remove ${file.name}`);
    button.addEventListener("click", () => setFiles(files.filter((each) => each !== file)));
    item.append(preview, name, button);
    return item;
  }));
  $("file").value = "";
}

$("file").addEventListener("change", (event) => { hideError(); setFiles([...event.target.files]); });
document.addEventListener("dragover", (event) => {
  if (!event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dragging"); });
document.addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  document.body.classList.remove("dragging");
  hideError();
  setFiles([...event.dataTransfer.files]);
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) setFiles([...event.clipboardData.files]);
});

// ---- The visit: what was made stays listed after a reload, what is being made is followed on.

function ids() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(HISTORY) || "[]");
    return Array.isArray(kept) ? kept.filter((id) => /^[\w-]{22}$/.test(id)) : [];
  } catch {
    return [];
  }
}
const keep = (list) => sessionStorage.setItem(HISTORY, JSON.stringify(list.slice(-MOST_KEPT)));
const remember = (id) => keep([...ids().filter((each) => each !== id), id]);
const forget = (id) => keep(ids().filter((each) => each !== id));

async function restore() {
  for (const id of ids()) {
    let sound;
    try {
      sound = await api.look(id);
    } catch {
      forget(id); // the server keeps sounds for a while only
      continue;
    }
    if (sound.state === "done") await show(sound).catch(() => forget(id));
    else if (sound.state === "waiting" || sound.state === "running") await follow(id, false).catch((error) => showError(error.message));
    else forget(id);
  }
}

// ---- Small things.

function busy(is) {
  $("generate").disabled = is;
  $("cancel").disabled = !is;
}
function status(text) {
  if ($("status").textContent !== text) $("status").textContent = text; // screen readers hear changes only
}
function showError(text, alone = false) {
  if (alone) $("app").hidden = false;
  $("error").textContent = text;
  $("error").hidden = false;
}
function hideError() {
  $("error").hidden = true;
}
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1).replace(/\.$/, "") + ".";
const duration = (seconds) => (seconds < 100 ? `${Math.max(1, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`);

start();
