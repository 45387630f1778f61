// Refreshes the state of the runs: polls it, and shows the rendered part of the page that comes with it.
(function () {
  "use strict";
  const region = document.getElementById("state");
  const unreachable = document.getElementById("unreachable");
  const news = document.getElementById("news");
  if (!region) return;

  let shown = "";
  let seconds = Number(region.dataset.seconds) || 20;

  function update(state) {
    if (state.html !== shown) {
      const open = region.querySelector("details[open]") !== null;
      region.innerHTML = state.html;
      const details = region.querySelector("details");
      if (details && open) details.open = true;
      shown = state.html;
    }
    if (state.published !== region.dataset.published) {
      // An empty list is replaced at once; a list that someone may be reading stays until they ask for the new one.
      if (region.dataset.picks === "0") window.location.reload();
      else news.hidden = false;
    }
  }

  async function poll() {
    try {
      const response = await fetch(region.dataset.url, { headers: { Accept: "application/json", "X-Refresh": "1" }, cache: "no-store" });
      if (response.status === 401) return window.location.reload();
      if (!response.ok) throw new Error(String(response.status));
      const state = await response.json();
      seconds = state.again_in_seconds;
      update(state);
      unreachable.hidden = true;
    } catch (error) {
      unreachable.hidden = false;
      seconds = Math.min(seconds * 2, 60);
    }
    window.setTimeout(poll, seconds * 1000);
  }

  window.setTimeout(poll, seconds * 1000);
})();
