// Plain keys of the review of held messages. They act on what the page shows: a key clicks what has
// data-act of its act. Which key does what, and whether any does, is kept in this browser.
(() => {
  const OFF = "review-keys", MAP = "review-key-map";
  const REST_MS = 300;  // nobody has read a message that came up just now
  const DECIDING = new Set(["release", "spam", "discard", "escalate"]);
  const root = document.documentElement;
  const help = document.getElementById("keys-help");
  const box = document.getElementById("keys-on");
  if (!help || !box) return;
  const inputs = [...help.querySelectorAll("[data-key-of]")];
  const usual = Object.fromEntries(inputs.map((one) => [one.dataset.keyOf, one.value]));

  const stored = () => {
    try { return JSON.parse(localStorage.getItem(MAP)) || {}; } catch { return {}; }
  };
  let keyOf = usual;
  const sound = (map) => {
    const keys = Object.values(map);
    return keys.every((key) => /^[!-~]$/.test(key) && !/[0-9]/.test(key)) && new Set(keys).size === keys.length;
  };
  const show = () => {
    const own = stored();
    const merged = Object.fromEntries(Object.entries(usual).map(([act, key]) => [act, typeof own[act] === "string" ? own[act] : key]));
    keyOf = sound(merged) ? merged : usual;
    for (const one of inputs) one.value = keyOf[one.dataset.keyOf];
    for (const one of document.querySelectorAll("[data-kbd]")) one.textContent = keyOf[one.dataset.kbd] ?? one.textContent;
    box.checked = localStorage.getItem(OFF) !== "off";
    root.dataset.keysOn = box.checked ? "on" : "off";
  };
  show();
  box.disabled = false;
  box.addEventListener("change", () => { localStorage.setItem(OFF, box.checked ? "on" : "off"); show(); });
  const problem = document.getElementById("keys-problem");
  help.addEventListener("change", (event) => {
    if (!event.target.dataset.keyOf) return;
    const wanted = Object.fromEntries(inputs.map((one) => [one.dataset.keyOf, one.value]));
    problem.hidden = sound(wanted);
    if (problem.hidden) { localStorage.setItem(MAP, JSON.stringify(wanted)); show(); }
  });
  help.addEventListener("close", () => {
    problem.hidden = true;
    // A field that is hidden by now keeps the focus until the next painting: keys would be for it.
    if (help.contains(document.activeElement)) document.activeElement.blur();
    show();
  });
  document.getElementById("keys-reset").addEventListener("click", () => { localStorage.removeItem(MAP); problem.hidden = true; show(); });

  const current = document.querySelector(".sw-held [aria-current]");
  if (current) current.scrollIntoView({ block: "nearest" });

  let cameUp = performance.now();
  let left = false;  // one act a page: what is pressed while the next one loads is not for this one
  const rest = () => {
    left = false;
    cameUp = performance.now();
    root.dataset.keys = "resting";
    setTimeout(() => { root.dataset.keys = "ready"; }, REST_MS);
  };
  addEventListener("pageshow", rest);

  const links = () => [...document.querySelectorAll(".sw-held a[href]")];
  const step = (by) => {
    const all = links();
    const at = all.findIndex((link) => link.hasAttribute("aria-current"));
    const next = at < 0 ? all[0] : all[at + by];
    if (next) next.click();
    return Boolean(next);
  };
  const toggle = (id) => {
    const found = document.getElementById(id);
    if (found) found.open = !found.open;
    return found;
  };
  const press = (act) => {
    const all = [...document.querySelectorAll(`main [data-act="${act}"]:not([disabled])`)];
    // What was decided last is undone first.
    const found = all.sort((one, other) => (other.dataset.at ?? "").localeCompare(one.dataset.at ?? ""))[0];
    if (!found) return false;
    found.click();
    return found.type === "submit" || found instanceof HTMLAnchorElement;
  };
  const acts = {
    next: () => step(1),
    previous: () => step(-1),
    octets: () => { const found = toggle("octets"); if (found?.open) found.scrollIntoView({ block: "nearest" }); return false; },
    select: () => {
      document.querySelector(".sw-held [aria-current]")?.closest(".sw-row").querySelector("[type=checkbox]")?.click();
      return false;
    },
    chosen: () => {
      const found = document.getElementById("on-chosen");
      if (found) { found.open = true; document.getElementById("chosen-note").focus(); }
      return false;
    },
    search: () => {
      const found = document.getElementById("filters");
      if (found) { found.open = true; found.querySelector("input, select")?.focus(); }
      return false;
    },
  };
  // Browsers that do not know command= yet.
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("button[commandfor]");
    const dialog = button && document.getElementById(button.getAttribute("commandfor"));
    if (dialog && !("commandForElement" in button) && !dialog.open) dialog.showModal();
  });

  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.closest("input:not([type=radio], [type=checkbox]), select, textarea, [contenteditable]");
    const isOther = event.isComposing || event.keyCode === 229 || event.repeat || event.ctrlKey || event.altKey || event.metaKey;
    if (typing || isOther || left || !box.checked || document.querySelector("dialog[open]")) return;
    const category = /^[1-9]$/.test(event.key) && document.getElementById(`category-${event.key}`);
    if (category) {
      event.preventDefault();
      category.click();
      return;
    }
    const act = Object.keys(keyOf).find((one) => keyOf[one] === event.key);
    if (!act) return;
    event.preventDefault();
    if (DECIDING.has(act) && performance.now() - cameUp < REST_MS) return;
    left = acts[act] ? acts[act]() : press(act);
  });
})();
