// The contributor's page: a live countdown, the proof of work, and sending the form once all is there.
// Without it the page says the same, and only the proof of work does not run.
import { countDown } from "./gate-clock.js";
import { startWork } from "./gate-work.js";

const CAME_FROM_SIGN_IN = "centralbot-sign-in";
const card = document.querySelector("[data-gate]");
const form = document.querySelector("[data-gate-form]");

/** What sessionStorage says; it may be forbidden, then a click more is needed. */
function remembered(change) {
  try {
    return change(sessionStorage);
  } catch {
    return null;
  }
}

for (const link of document.querySelectorAll("[data-sign-in]")) {
  link.addEventListener("click", () => remembered((kept) => kept.setItem(CAME_FROM_SIGN_IN, location.pathname)));
}
const justSignedIn = remembered((kept) => {
  const from = kept.getItem(CAME_FROM_SIGN_IN);
  if (form !== null) kept.removeItem(CAME_FROM_SIGN_IN);
  return from;
}) === location.pathname;

const clock = document.querySelector("[data-clock]");
if (clock !== null) countDown(clock);
if (form !== null) guide(form);
watch();

/** Send the form when the person says so and the work is done, or by itself where nothing else is asked of them. */
function guide(form) {
  const button = form.querySelector("[data-submit]");
  const state = form.querySelector("[data-form-state]");
  const place = form.querySelector("[data-work]");
  let wanted = form.hasAttribute("data-by-itself") && justSignedIn;
  let sent = false;
  const work = place === null ? null : startWork(place, { stateUrl: card.dataset.stateUrl, onDone: go });

  function go() {
    if (wanted && !sent && (work === null || work.isDone())) form.requestSubmit(button);
  }

  form.addEventListener("submit", (event) => {
    if (sent) {
      event.preventDefault();
      return;
    }
    if (work !== null && !work.isDone()) {
      event.preventDefault();
      wanted = true;
      state.textContent = "Your answer is sent as soon as your device is done.";
      work.ensure();
      return;
    }
    sent = true;
    button.setAttribute("aria-disabled", "true");
    state.textContent = "Verifying…";
  });
  go();
}

/** Pages that were left open: look again when they are seen again, and while the clock has not started. */
function watch() {
  const open = ["PENDING", "TIMED_OUT_CLOSED"];
  const here = { status: card.dataset.gate, started: document.querySelector("[data-not-started]") === null };
  let looks = 0;

  async function look() {
    try {
      const answer = await fetch(card.dataset.stateUrl, { headers: { accept: "application/json" } });
      if (!answer.ok) return;
      const now = await answer.json();
      const changed = now.status !== here.status || (!here.started && now.deadline_at !== null);
      const begun = form !== null && form.querySelector("input:checked") !== null;
      if (changed && !(begun && open.includes(now.status))) location.reload(); // what was ticked is not taken away
    } catch {
      // away; the next look will tell
    }
  }

  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") look();
  });
  if (!here.started && form === null) {
    const timer = setInterval(() => {
      looks += 1;
      if (looks >= 20) clearInterval(timer);
      if (document.visibilityState === "visible") look();
    }, 6000);
  }
}
