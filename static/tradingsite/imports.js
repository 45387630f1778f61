// Shows how far the run at work on a handed-in file is, and the page anew when it has ended.
"use strict";
const card = document.querySelector("[data-progress]");
const bar = card && card.querySelector("progress");

async function look() {
  try {
    const answer = await fetch(card.dataset.progress, { headers: { Accept: "application/json" } });
    const told = await answer.json();
    if (!told.at_work) {
      location.replace(location.pathname);
      return;
    }
    bar.value = told.progress;
  } catch {
    // Not reached, or logged out: the next look tells.
  }
  setTimeout(look, 1000);
}

if (card) look();
