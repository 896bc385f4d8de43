// Keeps the message that is shown for who reviews it: the lease is renewed while the page is in the
// foreground and somebody works there, and ends when the page is left.
(() => {
  const EVERY_MS = 30000, REST_MS = 600000;
  const form = document.getElementById("lease");
  if (!form) return;
  let acted = Date.now(), asked = Date.now();
  const isOwn = () => form.querySelector("[name=until]") !== null;
  const renew = () => {
    if (document.hidden || !isOwn() || Date.now() - acted > REST_MS) return;
    asked = Date.now();
    htmx.trigger(form, "renew");
  };
  const act = () => {
    const rested = Date.now() - acted > REST_MS;
    acted = Date.now();
    if (rested) renew();
  };
  setInterval(renew, EVERY_MS);
  for (const kind of ["keydown", "pointerdown", "pointermove", "wheel"]) document.addEventListener(kind, act, { passive: true });
  document.addEventListener("visibilitychange", () => { if (Date.now() - asked > EVERY_MS) renew(); });
  addEventListener("pageshow", (event) => { if (event.persisted) renew(); });
  addEventListener("pagehide", () => {
    if (isOwn()) navigator.sendBeacon(form.dataset.end, new URLSearchParams(new FormData(form)));
  });
})();
