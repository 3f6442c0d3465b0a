// A finished clip as a card: player, spectrogram with a playhead, downloads.

import * as api from "./api.js";

const HERTZ = { 125: "125 Hz", 500: "500 Hz", 1000: "1 kHz", 2000: "2 kHz", 4000: "4 kHz", 8000: "8 kHz" };
const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120]; // seconds between two marks
const template = document.querySelector("#clip-template");

/**
 * Build the card of one clip.
 * @param sound the API's page of the sound
 * @param number of the clip, from 1
 * @param {{level: boolean, bands: number[], onRemove: Function}} options bands: centre of each mel band in Hz
 */
export async function card(sound, number, { level, bands, onRemove }) {
  const metadata = await api.clipMetadata(sound.id, number);
  const clip = sound.clips[number - 1];
  const root = document.importNode(template.content, true).querySelector("article"); // a clone would not play
  const find = (selector) => root.querySelector(selector);
  const title = metadata.query;
  root.tabIndex = -1;
  root.setAttribute("aria-label", `${title}, seed ${clip.seed}`);
  find("h3").textContent = title;
  find(".facts").textContent = `seed ${clip.seed} · ${clip.seconds.toFixed(1)} s`;
  const notes = sound.notes || [];
  if (notes.length) {
    find(".note").hidden = false;
    find(".note").textContent = notes.join(" ");
  }
  find(".remove").setAttribute("aria-label", `Remove ${title}`);
  find(".remove").addEventListener("click", () => onRemove(root));

  const player = find(metadata.video ? "video" : "audio");
  find(metadata.video ? "audio" : "video").remove();
  player.hidden = false;
  player.setAttribute("aria-label", `${title}, seed ${clip.seed}`);
  const [sounding, picture] = await Promise.all([
    api.clipFile(sound.id, number, metadata.video ? "mp4" : "wav", level),
    api.clipFile(sound.id, number, "png", false),
  ]);
  player.src = URL.createObjectURL(sounding);

  const image = find(".mel img");
  image.src = URL.createObjectURL(picture);
  image.alt = `Mel spectrogram of ${title}: ${clip.seconds.toFixed(1)} seconds from left to right, 0 to 8000 hertz upwards`;
  axes(find(".hertz"), find(".time"), clip.seconds, bands);
  const head = find(".playhead");
  for (const kind of ["timeupdate", "seeking", "play", "ended"]) {
    player.addEventListener(kind, () => {
      head.style.opacity = player.ended ? 0 : 0.9;
      head.style.left = `${(100 * player.currentTime) / clip.seconds}%`;
    });
  }
  find(".picture").addEventListener("click", (event) => {
    player.currentTime = (event.offsetX / event.currentTarget.clientWidth) * clip.seconds;
    player.play();
  });

  const name = `${title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 80) || "clip"}-${clip.seed}`;
  for (const kind of [...(metadata.video ? ["mp4"] : []), "wav", "flac", "ogg", "json"]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = kind === "json" ? "Metadata" : kind.toUpperCase();
    button.setAttribute("aria-label", `Download ${title} as ${kind.toUpperCase()}`);
    button.addEventListener("click", () => download(sound.id, number, kind, level, `${name}.${kind}`, button));
    find(".downloads").append(button);
  }
  return root;
}

async function download(id, number, kind, level, name, button) {
  try {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await api.clipFile(id, number, kind, level));
    link.download = name;
    link.click();
  } catch (error) {
    button.disabled = true;
    button.title = error.message;
  }
}

/** Write the marks beside and below a spectrogram of `seconds`. */
function axes(hertz, time, seconds, bands) {
  for (const [value, text] of Object.entries(HERTZ)) {
    const band = bands.findIndex((centre) => centre >= value);
    hertz.append(mark(text, "bottom", (band < 0 ? bands.length : band + 0.5) / bands.length));
  }
  const step = TICKS.find((each) => seconds / each <= 6) || TICKS.at(-1);
  for (let at = 0; at <= seconds; at += step) time.append(mark(`${+at.toFixed(1)} s`, "left", at / seconds));
}

function mark(text, side, share) {
  const element = document.createElement("i");
  element.textContent = text;
  element.style[side] = `${(100 * share).toFixed(1)}%`;
  return element;
}

// One clip at a time.
document.addEventListener("play", ({ target }) => {
  for (const other of document.querySelectorAll("audio, video")) if (other !== target) other.pause();
}, true);
