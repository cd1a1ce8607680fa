// The countdown. The server says how much time was left when it answered; how long ago that was is measured by the
// browser's own steady clock, so a device with a wrong time shows the right countdown.

const ANNOUNCED_S = [600, 300, 60];

export function countDown(clock) {
  const [arrival] = performance.getEntriesByType("navigation");
  const began = arrival === undefined ? performance.now() : arrival.responseStart;
  const leftAtFirst = Number(clock.dataset.leftS);
  const shown = clock.querySelector("[data-left]");
  const word = clock.querySelector(".clock-word");
  const bar = clock.querySelector("[data-bar]");
  const say = clock.querySelector("[data-say]");
  const until = new Date(clock.querySelector("[data-until]").dateTime);
  localTime(until, clock.querySelector("[data-local]"));
  let last = Infinity;

  function tick() {
    const left = Math.max(0, Math.ceil(leftAtFirst - (performance.now() - began) / 1000));
    shown.textContent = left > 0 ? words(left) : "Time is up";
    word.hidden = left === 0;
    bar.value = left;
    clock.classList.toggle("soon", left <= 300);
    const crossed = ANNOUNCED_S.find((at) => last > at && left <= at && last !== Infinity);
    if (crossed !== undefined) say.textContent = `${crossed / 60} ${crossed === 60 ? "minute" : "minutes"} left`;
    if (left === 0) {
      say.textContent = "Time is up. You can still verify: the pull request stays open, or is reopened.";
      return;
    }
    last = left;
    setTimeout(tick, 1000 - ((performance.now() - began) % 1000) + 5);
  }
  tick();
}

function words(seconds) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor((seconds % 86400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const two = (n) => String(n).padStart(2, "0");
  if (days > 0) return `${days} ${days === 1 ? "day" : "days"}${hours > 0 ? ` ${hours} h` : ""}`;
  if (hours > 0) return `${hours}:${two(minutes)}:${two(seconds % 60)}`;
  return `${minutes}:${two(seconds % 60)}`;
}

/** The same moment as the person's own clock has it, where that is another. */
function localTime(moment, place) {
  if (moment.getTimezoneOffset() === 0) return;
  const options = { hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
  if (moment.toDateString() !== new Date().toDateString()) Object.assign(options, { day: "numeric", month: "short" });
  place.textContent = ` (${new Intl.DateTimeFormat("en-GB", options).format(moment)} for you)`;
}
