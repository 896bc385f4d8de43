// Plain keys of the review of held messages: j k r d ?. They act on what the page shows.
(() => {
  const OFF = "review-keys";
  const help = document.getElementById("keys-help");
  const box = document.getElementById("keys-on");
  if (!help || !box) return;
  const current = document.querySelector(".sw-held [aria-current]");
  if (current) current.scrollIntoView({ block: "nearest" });
  box.disabled = false;
  box.checked = localStorage.getItem(OFF) !== "off";
  box.addEventListener("change", () => localStorage.setItem(OFF, box.checked ? "on" : "off"));

  const step = (by) => {
    const links = [...document.querySelectorAll(".sw-held a")];
    const at = links.findIndex((link) => link.hasAttribute("aria-current"));
    const next = at < 0 ? links[0] : links[at + by];
    if (next) next.click();
    return Boolean(next);
  };
  const press = (key) => {
    const button = document.querySelector(`[data-key="${key}"]`);
    if (button) button.click();
    return Boolean(button);
  };
  const keys = {
    j: () => step(1),
    k: () => step(-1),
    r: () => press("r"),
    d: () => press("d"),
    "?": () => { help.open = !help.open; return false; },
  };
  let left = false;  // one act a page: what is pressed while the next one loads is not for this one
  addEventListener("pageshow", () => { left = false; });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.closest("input, select, textarea, [contenteditable]");
    const isOther = event.isComposing || event.repeat || event.ctrlKey || event.altKey || event.metaKey;
    if (typing || isOther || left || !box.checked || !Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    left = keys[event.key]();
  });
})();
