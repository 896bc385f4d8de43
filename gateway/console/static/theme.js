// Before anything is painted: dark or light as the person chose, else as the system is set.
(() => {
  const chosen = /(?:^|; )theme=(dark|light)/.exec(document.cookie);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const set = () => {
    const theme = chosen ? chosen[1] : dark.matches ? "dark" : "light";
    document.documentElement.setAttribute("data-bs-theme", theme);
  };
  set();
  dark.addEventListener("change", set);
})();
