// The proof of work: ALTCHA's widget, invisible, solves the task; what it does is said here in the page's own words.
import "./altcha.js";

const RENEW_EARLY_S = 45;
const { $altcha } = globalThis;
$altcha.defaults.set({ auto: "off", display: "invisible", humanInteractionSignature: false, minDuration: 0 });

/** Start at once. `onDone` is called whenever a solution is there; a page left open gets a new task in time. */
export function startWork(place, { stateUrl, onDone }) {
  const worker = new URL(place.dataset.worker, location.origin);
  $altcha.algorithms.set("PBKDF2/SHA-256", () => new Worker(worker));
  const step = place.closest("[data-step]");
  const said = place.querySelector("[data-work-state]");
  const solution = place.querySelector("input");
  const again = place.querySelector("[data-work-again]");
  const doneWord = step.querySelector("[data-done]");
  const widget = document.createElement("altcha-widget");
  let task = JSON.parse(place.dataset.task);
  let taken = performance.now();
  let running = false;

  function show(kind, text) {
    step.classList.toggle("busy", kind === "busy");
    step.classList.toggle("done", kind === "done");
    step.classList.toggle("wrong", kind === "bad");
    doneWord.textContent = kind === "done" ? " (done)" : "";
    said.textContent = text;
    again.hidden = kind !== "bad";
  }

  function ageS() {
    return (performance.now() - taken) / 1000;
  }

  async function renew() {
    const answer = await fetch(stateUrl, { headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    const { steps } = await answer.json();
    const asked = steps.find(({ kind }) => kind === step.dataset.step);
    if (asked?.parameters?.task === undefined) {
      location.reload(); // signed out, or over: the page itself says so
      return;
    }
    task = asked.parameters.task;
    taken = performance.now();
  }

  async function run() {
    if (running) return;
    running = true;
    solution.value = "";
    show("busy", "Working…");
    try {
      if (!isSecureContext) {
        show("bad", "Your browser does this only over HTTPS. Open this page at its https address.");
        return;
      }
      if (ageS() > Number(place.dataset.validS) - RENEW_EARLY_S) await renew();
      widget.configure({ challenge: task });
      const found = await widget.verify();
      if (!found?.payload) throw new Error("no solution");
      solution.value = found.payload;
      show("done", "Done.");
      setTimeout(run, Math.max(1, Number(place.dataset.validS) - RENEW_EARLY_S - ageS()) * 1000 + 500);
    } catch (error) {
      console.info("centralbot:", String(error));
      show("bad", "That did not work. Check your connection and start again.");
    } finally {
      running = false;
    }
    if (solution.value !== "") onDone();
  }

  widget.addEventListener("load", run, { once: true });
  again.addEventListener("click", run);
  document.addEventListener("visibilitychange", () => {
    const old = ageS() > Number(place.dataset.validS) - RENEW_EARLY_S;
    if (document.visibilityState === "visible" && old) run();
  });
  document.body.append(widget); // outside of the form: its own fields are not ours to send
  return { isDone: () => solution.value !== "" && !running, ensure: run };
}
