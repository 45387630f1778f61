// Shows the progress of the run that works on an uploaded file, and reloads the page when it has ended.
"use strict";
const card = document.querySelector("[data-progress]");
const bar = card && card.querySelector("progress");

async function poll() {
  try {
    const response = await fetch(card.dataset.progress, { headers: { Accept: "application/json", "X-Refresh": "1" } });
    const state = await response.json();
    if (!state.at_work) {
      location.replace(location.pathname);
      return;
    }
    bar.value = state.progress;
  } catch {
    // Unreachable, or logged out: try again.
  }
  setTimeout(poll, 1000);
}

if (card) poll();
