// Keeps the state of the run on the page fresh: asks for it, and shows the piece of the page that comes with it.
(function () {
  "use strict";
  const region = document.getElementById("state");
  const unreachable = document.getElementById("unreachable");
  const news = document.getElementById("news");
  if (!region) return;

  let shown = "";
  let seconds = Number(region.dataset.seconds) || 20;

  function show(state) {
    if (state.html !== shown) {
      const open = region.querySelector("details[open]") !== null;
      region.innerHTML = state.html;
      const details = region.querySelector("details");
      if (details && open) details.open = true;
      shown = state.html;
    }
    if (state.published !== region.dataset.published) {
      // Nobody reads an empty list: show the new one at once. A list that is being read stays until it is left.
      if (region.dataset.picks === "0") window.location.reload();
      else news.hidden = false;
    }
  }

  async function ask() {
    try {
      const answer = await fetch(region.dataset.url, { headers: { Accept: "application/json" }, cache: "no-store" });
      if (answer.status === 401) return window.location.reload();
      if (!answer.ok) throw new Error(String(answer.status));
      const state = await answer.json();
      seconds = state.again_in_seconds;
      show(state);
      unreachable.hidden = true;
    } catch (error) {
      unreachable.hidden = false;
      seconds = Math.min(seconds * 2, 60);
    }
    window.setTimeout(ask, seconds * 1000);
  }

  window.setTimeout(ask, seconds * 1000);
})();
