// The editor of a policy's file: a mistake's link puts the caret where it is; shows line and column.
(() => {
  const area = document.getElementById("text");
  const caret = document.getElementById("caret");
  if (!area || !caret) return;
  const told = caret.querySelector("output");
  const tell = () => {
    const before = area.value.slice(0, area.selectionStart).split("\n");
    told.textContent = `${before.length}:${before[before.length - 1].length + 1}`;
  };
  caret.hidden = false;
  for (const kind of ["keyup", "click", "input", "focus"]) area.addEventListener(kind, tell);
  tell();
  const go = (line, column) => {
    const lines = area.value.split("\n");
    const at = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0) + column - 1;
    area.focus();
    area.setSelectionRange(at, at);
    const height = parseFloat(getComputedStyle(area).lineHeight) || 20;
    area.scrollTop = Math.max(0, (line - 5) * height);
    tell();
  };
  for (const link of document.querySelectorAll("a[data-line]")) {
    if (link.dataset.name !== area.dataset.name) continue;
    link.addEventListener("click", (event) => {
      event.preventDefault();
      go(Number(link.dataset.line), Number(link.dataset.column));
    });
  }
})();
