// Keeps a console page up to date: polls its fragment and replaces the parts that differ.
// Focus and opened details are preserved; a page in the background does not poll.
(function () {
  "use strict";
  const live = document.getElementById("live");
  const unreachable = document.getElementById("unreachable");
  if (!live) return;
  let seconds = Number(live.dataset.seconds) || 10;

  function keepOpen(from, to) {
    for (const details of from.querySelectorAll("details[open][id]")) {
      const counterpart = to.querySelector("#" + CSS.escape(details.id));
      if (counterpart) counterpart.open = true;
    }
  }

  function show(html) {
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    const parts = (root) => [...root.querySelectorAll("[data-part]")].map((part) => part.dataset.part).join();
    const focused = document.activeElement && document.activeElement.id;
    keepOpen(live, fresh.content);
    if (parts(live) !== parts(fresh.content)) {
      live.replaceChildren(...fresh.content.childNodes);
    } else {
      for (const part of fresh.content.querySelectorAll("[data-part]")) {
        const old = live.querySelector(`[data-part="${part.dataset.part}"]`);
        if (old.outerHTML !== part.outerHTML) old.replaceWith(part);
      }
    }
    const again = focused && document.getElementById(focused);
    if (again && again !== document.activeElement) again.focus({ preventScroll: true });
  }

  async function poll() {
    if (!document.hidden) {
      try {
        const response = await fetch(live.dataset.url, { headers: { "X-Refresh": "1" }, cache: "no-store", redirect: "manual" });
        if (response.type === "opaqueredirect") return window.location.reload();
        if (!response.ok) throw new Error(String(response.status));
        seconds = Number(response.headers.get("X-Again-In")) || seconds;
        show(await response.text());
        unreachable.hidden = true;
      } catch (error) {
        unreachable.hidden = false;
        seconds = Math.min(seconds * 2, 60);
      }
    }
    window.setTimeout(poll, seconds * 1000);
  }

  window.setTimeout(poll, seconds * 1000);
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));
  // A double click submits a form only once.
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "1";
  });
})();
