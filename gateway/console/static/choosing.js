// Which held messages are chosen for one decision: remembered in this tab from page to page, for who
// has chosen them. Without this script the form takes those of one page.
(() => {
  const form = document.getElementById("choosing");
  if (!form) return;
  const KEY = `chosen-messages ${form.dataset.user}`;
  const most = Number(form.dataset.most);
  const count = document.getElementById("choosing-count");
  const full = document.getElementById("choosing-full");
  const none = document.getElementById("choose-none");
  const elsewhere = document.getElementById("chosen-elsewhere");
  const boxes = [...document.querySelectorAll("input[type=checkbox][form=choosing]")];
  const stored = () => {
    try { return JSON.parse(sessionStorage.getItem(KEY)) || []; } catch { return []; }
  };
  // A choice is an id and what was seen of its message. Another text of that message ends it.
  const idOf = (choice) => choice.split(".")[0];
  const shown = new Map(boxes.map((box) => [idOf(box.value), box]));
  const chosen = new Set(stored().filter((one) => typeof one === "string" && (shown.get(idOf(one))?.value ?? one) === one));
  for (const one of elsewhere.querySelectorAll("input")) chosen.add(one.value);
  for (const box of boxes) if (box.checked) chosen.add(box.value);

  const show = () => {
    for (const box of boxes) box.checked = chosen.has(box.value);
    const others = [...chosen].filter((one) => !shown.has(idOf(one)));
    elsewhere.replaceChildren(...others.map((one) => {
      const field = document.createElement("input");
      Object.assign(field, { type: "hidden", name: "m", value: one });
      return field;
    }));
    count.textContent = chosen.size;
    none.hidden = chosen.size === 0;
    sessionStorage.setItem(KEY, JSON.stringify([...chosen]));
  };
  const choose = (box) => {
    full.hidden = chosen.size < most || chosen.has(box.value);
    if (full.hidden) chosen.add(box.value);
  };
  show();
  for (const box of boxes) {
    box.addEventListener("change", () => {
      full.hidden = true;
      if (box.checked) choose(box); else chosen.delete(box.value);
      show();
    });
  }
  document.getElementById("choose-all").addEventListener("click", (event) => {
    event.preventDefault();
    boxes.forEach(choose);
    show();
  });
  none.addEventListener("click", () => { full.hidden = true; chosen.clear(); show(); });
  // What is refused comes back with the answer.
  form.addEventListener("submit", () => sessionStorage.removeItem(KEY));
})();
