// Keeps a page of the console fresh: asks for its changing piece and puts in the parts that differ.
// Focus and opened details stay where they are; a page in the background does not ask.
(function () {
  "use strict";
  const live = document.getElementById("live");
  const unreachable = document.getElementById("unreachable");
  if (!live) return;
  let seconds = Number(live.dataset.seconds) || 10;

  function keepOpen(from, to) {
    for (const details of from.querySelectorAll("details[open][id]")) {
      const same = to.querySelector("#" + CSS.escape(details.id));
      if (same) same.open = true;
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

  async function ask() {
    if (!document.hidden) {
      try {
        const answer = await fetch(live.dataset.url, { cache: "no-store", redirect: "manual" });
        if (answer.type === "opaqueredirect") return window.location.reload();
        if (!answer.ok) throw new Error(String(answer.status));
        seconds = Number(answer.headers.get("X-Again-In")) || seconds;
        show(await answer.text());
        unreachable.hidden = true;
      } catch (error) {
        unreachable.hidden = false;
        seconds = Math.min(seconds * 2, 60);
      }
    }
    window.setTimeout(ask, seconds * 1000);
  }

  window.setTimeout(ask, seconds * 1000);
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));
  // The first press counts: a second one of an impatient hand is not sent.
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "1";
  });
})();
