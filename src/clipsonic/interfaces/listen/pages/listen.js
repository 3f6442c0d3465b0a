// The page of a rater. Answers are kept in the browser until the server has stored them.
"use strict";

const LABELS = ["Bad", "Poor", "Fair", "Good", "Excellent"];
const QUESTIONS = {
  fidelity: () => "How good is the quality of this sound?",
  relevance: (trial) => (trial.picture && !trial.text ? "How well does the sound fit this picture?"
    : trial.picture ? "How well does the sound fit these words and this picture?" : "How well does the sound fit these words?"),
};
const at = (id) => document.getElementById(id);
const audio = new Audio();
const heard = {}; // trial => times its sound was played to the end, on this page
let test, trials = [], total = 0, here = 0, rater = null, sending = false, playing = null;

// What outlives the page, where the browser allows it.
const memory = {};
function kept(name) { try { return localStorage.getItem(`${test.id}.${name}`); } catch { return memory[name] ?? null; } }
function keep(name, value) { memory[name] = value; try { localStorage.setItem(`${test.id}.${name}`, value); } catch { /* not allowed */ } }
function random() { return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join(""); }
// Answers on their way, one entry each, so that two tabs do not overwrite one another's.
const waitingHere = new Map();
function wait(answer) {
  waitingHere.set(answer.click, answer);
  try { localStorage.setItem(`${test.id}.answer.${answer.click}`, JSON.stringify(answer)); } catch { /* not allowed */ }
}
function arrived(answer) {
  waitingHere.delete(answer.click);
  try { localStorage.removeItem(`${test.id}.answer.${answer.click}`); } catch { /* not allowed */ }
}
function waiting() {
  const found = new Map(waitingHere);
  try {
    for (const name of Object.keys(localStorage)) {
      if (!name.startsWith(`${test.id}.answer.`)) continue;
      const answer = JSON.parse(localStorage.getItem(name));
      if (answer) found.set(answer.click, answer);
    }
  } catch { /* not allowed */ }
  return [...found.values()].sort((a, b) => a.at - b.at);
}

async function ask(method, address, body) {
  const response = await fetch(address, {
    method, headers: body ? { "Content-Type": "application/json" } : {}, body: body && JSON.stringify(body), cache: "no-store",
  });
  const page = await response.json().catch(() => ({}));
  if (!response.ok) throw Object.assign(new Error(page.error || `the server answered ${response.status}`), { status: response.status });
  return page;
}

function trouble(words) { at("trouble").textContent = words; at("trouble").hidden = !words; }
function say(words, bad = false) { at("state").textContent = words; at("state").className = bad ? "bad" : ""; }
function show(name) {
  audio.pause();
  for (const section of document.querySelectorAll("section")) section.hidden = section.id !== name;
  window.scrollTo(0, 0);
}

async function start() {
  try {
    test = await ask("GET", "api/test");
  } catch {
    trouble("The test cannot be reached. Trying again…");
    setTimeout(start, 2000);
    return;
  }
  trouble("");
  at("title").textContent = document.title = test.title;
  const link = location.hash.match(/^#rater=([0-9a-f]{32})$/);
  if (link) {
    keep("rater", link[1]);
    history.replaceState(null, "", location.pathname + location.search);
    await join();
    return;
  }
  if (!test.known) { welcome(); return; }
  await fetchTrials().then(enter, (error) => trouble(`The test cannot be loaded: ${error.message}. Please load the page again.`));
}

function welcome() {
  at("words").replaceChildren(...test.welcome.trim().split(/\n\s*\n/).map((text) => {
    const paragraph = document.createElement("p");
    paragraph.textContent = text;
    return paragraph;
  }));
  at("minutes").textContent = `It takes about ${test.minutes} ${test.minutes === 1 ? "minute" : "minutes"}.`;
  at("minutes").hidden = !test.minutes;
  show("welcome");
}

async function join() {
  if (!kept("rater")) keep("rater", random());
  const token = new URLSearchParams(location.search).get("token") || "";
  at("agree").disabled = true;
  try {
    await ask("POST", "api/join", { key: kept("rater"), token: token.slice(0, 200) });
    await fetchTrials();
    trouble("");
    enter();
  } catch (error) {
    if (at("welcome").hidden) welcome();
    trouble(error.status ? `It cannot begin: ${error.message}.` : "The test cannot be reached. Please try again.");
  }
  at("agree").disabled = false;
}

async function fetchTrials() {
  const page = await ask("GET", "api/trials");
  trials = page.trials;
  total = page.total;
  rater = page.rater;
  for (const answer of waiting()) {
    const trial = trials.find((each) => each.trial === answer.trial);
    if (trial && answer.rater === rater) trial.rating = answer.rating;
  }
}

function enter() {
  at("link").textContent = `${location.origin}${location.pathname}#rater=${rater}`;
  at("elsewhere").hidden = at("progress").hidden = false;
  count();
  send();
  if (trials.every((trial) => trial.rating === null)) show("volume");
  else goOn();
}

function count() {
  const answered = trials.filter((trial) => trial.rating !== null).length;
  at("bar").value = answered / total;
  at("count").textContent = `${answered} of ${total}`;
}

// The first sound without an answer, from this one on and then from the beginning; or the end.
async function goOn(from = 0) {
  const open = (trial) => trial.rating === null;
  let next = trials.findIndex((trial, number) => number >= from && open(trial));
  if (next < 0) next = trials.findIndex(open);
  if (next < 0 && trials.length < total) { // the next part, which the server shows when this one is stored
    await send();
    try {
      await fetchTrials();
    } catch (error) {
      trouble(`The next part cannot be fetched: ${error.message}. It is tried again.`);
    }
    next = trials.findIndex(open);
    if (next < 0) { setTimeout(() => goOn(), 2000); return; }
    trouble("");
  }
  if (next < 0) {
    show("end");
    document.querySelector("#end h2").focus();
  } else go(next);
}

function go(number) {
  here = number;
  const trial = trials[here];
  const part = trials.filter((each) => each.question === trial.question);
  show("trial");
  trouble("");
  at("part").textContent = `Part ${trial.question === "fidelity" ? 1 : 2} of 2, sound ${part.indexOf(trial) + 1} of ${part.length}`;
  at("question").textContent = QUESTIONS[trial.question](trial);
  at("prompt").textContent = trial.text ? `“${trial.text}”` : "";
  at("prompt").hidden = !trial.text;
  at("picture").hidden = !trial.picture;
  if (trial.picture) at("picture").src = trial.picture; else at("picture").removeAttribute("src");
  at("instruction").textContent = trial.instruction ? `To see that you are listening: please answer ${trial.instruction} here, whatever you hear.` : "";
  at("instruction").hidden = !trial.instruction;
  at("done").style.width = "0";
  at("back").disabled = here === 0;
  playing = null;
  update();
  at("play").focus({ preventScroll: true });
}

function update() {
  const trial = trials[here], ready = heard[trial.trial] > 0;
  [...at("scale").children].forEach((button, index) => {
    button.disabled = !ready;
    button.setAttribute("aria-pressed", String(trial.rating === index + 1));
  });
  at("hint").textContent = !ready ? (trial.rating === null ? "Listen to the end, then answer." : "Answered. Listen again to change it.")
    : trial.rating === null ? "Now answer." : "";
  at("next").className = trial.rating === null ? "" : "main";
  const left = trials.filter((each) => each.rating === null).length;
  at("left").textContent = `All sounds so far (${left} without an answer)`;
  at("strip").replaceChildren(...trials.map((each, number) => {
    const button = document.createElement("button");
    button.textContent = String(number + 1);
    button.className = each.rating === null ? "" : "answered";
    button.setAttribute("aria-label", `Sound ${number + 1}, ${each.rating === null ? "no answer yet" : "answered"}`);
    if (number === here) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => go(number));
    return button;
  }));
  count();
}

function rate(rating) {
  const trial = trials[here];
  if (!trial || !heard[trial.trial]) return;
  trial.rating = rating;
  update();
  wait({ rater, trial: trial.trial, rating, plays: Math.min(heard[trial.trial], 10000), click: random(), at: Date.now() });
  send();
  at("next").focus({ preventScroll: true });
}

async function send() {
  if (sending) return;
  sending = true;
  for (let answer; (answer = waiting().find((each) => each.rater === rater)); ) {
    say("Saving…");
    try {
      await ask("PUT", `api/trials/${answer.trial}`, { rating: answer.rating, plays: answer.plays, click: answer.click });
    } catch (error) {
      if (!error.status || error.status >= 500) {
        say("Not saved yet: no connection. Your answers are kept here and sent when it is back.", true);
        setTimeout(send, 2000);
        sending = false;
        return;
      }
      arrived(answer);
      sending = false;
      trouble(`An answer was refused: ${error.message}. Please load the page again.`);
      return;
    }
    arrived(answer);
    say("All answers are saved.");
  }
  sending = false;
}

function play(what, source) {
  if (playing === what && !audio.paused) { audio.pause(); return; }
  if (playing !== what) { playing = what; audio.src = source; }
  trouble("");
  audio.play().catch((error) => { if (error.name !== "AbortError") trouble("The sound cannot be played. Please try again."); });
}
function playTrial() { play(trials[here].trial, trials[here].clip); }
const shown = () => (playing === "setup" ? ["setup", "setup-done"] : ["play", "done"]);

for (const event of ["play", "pause", "ended"]) {
  audio.addEventListener(event, () => {
    const button = at(shown()[0]);
    button.textContent = audio.paused ? "▶" : "❚❚";
    button.setAttribute("aria-label", audio.paused ? "Play the sound" : "Pause the sound");
  });
}
audio.addEventListener("timeupdate", () => {
  if (audio.duration) at(shown()[1]).style.width = `${(100 * audio.currentTime) / audio.duration}%`;
});
audio.addEventListener("ended", () => {
  at(shown()[1]).style.width = "100%";
  if (playing === "setup") { at("begin").disabled = false; return; }
  heard[playing] = (heard[playing] || 0) + 1;
  if (trials[here].trial === playing) update();
});
audio.addEventListener("error", () => {
  if (!audio.getAttribute("src")) return;
  playing = null;
  trouble("The sound cannot be loaded. Please try again.");
});

LABELS.forEach((label, index) => {
  const button = document.createElement("button");
  const number = document.createElement("b"), words = document.createElement("span");
  number.textContent = String(index + 1);
  words.textContent = label;
  button.append(number, words);
  button.addEventListener("click", () => rate(index + 1));
  at("scale").append(button);
});
function onward() { if (here + 1 < trials.length) go(here + 1); else goOn(); }
at("agree").addEventListener("click", join);
at("setup").addEventListener("click", () => play("setup", "setup.flac"));
at("begin").addEventListener("click", () => goOn());
at("play").addEventListener("click", playTrial);
at("back").addEventListener("click", () => go(here - 1));
at("next").addEventListener("click", onward);
at("again").addEventListener("click", () => go(trials.length - 1));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || at("trial").hidden) return;
  if (event.key >= "1" && event.key <= "5") rate(Number(event.key));
  else if (event.key === "ArrowRight") onward();
  else if (event.key === "ArrowLeft" && here > 0) go(here - 1);
  else if (event.key === " " && (document.activeElement === document.body || document.activeElement === at("next"))) {
    event.preventDefault();
    playTrial();
  } else return;
});
// What was said in another tab.
document.addEventListener("visibilitychange", () => {
  if (document.hidden || !trials.length) return;
  fetchTrials().then(() => { if (!at("trial").hidden) update(); }).catch(() => {});
});
start();
