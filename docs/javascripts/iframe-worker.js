// Browsers run no workers from files. On a page that was opened as one, a hidden frame does the search's work.
// Material for MkDocs asks for `window.IFrameWorker`, and for the script's own element inside the frame.

class FrameWorker extends EventTarget {
  onmessage = null;

  constructor(url) {
    super();
    this.frame = document.createElement("iframe");
    this.frame.hidden = true;
    document.body.append(this.frame);
    const inside = this.frame.contentWindow;
    inside.postMessage = (data) => {
      const event = new MessageEvent("message", { data });
      this.dispatchEvent(event);
      this.onmessage?.(event);
    };
    inside.importScripts = async (...urls) => {
      for (const each of urls) await load(inside, each);
    };
    this.loaded = load(inside, url);
  }

  postMessage(data) {
    const inside = this.frame.contentWindow;
    this.loaded.then(() => inside.dispatchEvent(new inside.MessageEvent("message", { data })));
  }

  terminate() {
    this.frame.remove();
  }
}

/** Run a script in a window; resolve when it has run. */
function load(inside, url) {
  return new Promise((done, failed) => {
    const script = inside.document.createElement("script");
    script.onload = done;
    script.onerror = () => failed(new Error(`cannot load ${url}`));
    script.src = new URL(url, location.href);
    inside.document.body.append(script);
  });
}

if (location.protocol === "file:") {
  window.IFrameWorker = FrameWorker;
  window.Worker = FrameWorker;
}
