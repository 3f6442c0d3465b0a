// What the page does in the browser itself: the visit's list, the line over the picture, words for screen readers.
const KEPT = ["clipsonic-made", "clipsonic-current"];

window.clipsonic = {
  kept: () => KEPT.map((name) => sessionStorage.getItem(name) || ""),
  keep: (...values) => KEPT.forEach((name, place) => sessionStorage.setItem(name, values[place] || "")),
  show: () => document.querySelector("#status")?.scrollIntoView({ block: "center", behavior: "smooth" }),
};

// Media events do not bubble, so they are caught on their way down.
for (const kind of ["timeupdate", "seeking", "play", "ended"]) {
  document.addEventListener(kind, ({ target }) => {
    const head = target.closest?.(".clip")?.querySelector(".head");
    if (!head || !target.duration) return;
    head.style.opacity = target.ended ? 0 : 0.9;
    head.style.left = `${(100 * target.currentTime) / target.duration}%`;
  }, true);
}

// One sound at a time.
document.addEventListener("play", ({ target }) => {
  for (const other of document.querySelectorAll("audio")) if (other !== target) other.pause();
}, true);
