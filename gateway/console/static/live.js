// Live pages: watches the stream, asks every five seconds where none comes, and draws the charts.
(() => {
  const SILENCE_MS = 12000, EVERY_MS = 5000;
  const poll = document.getElementById("live-poll");
  let heard = Date.now();
  document.addEventListener("htmx:sse:after:message", () => { heard = Date.now(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) heard = Date.now(); });
  if (poll) {
    setInterval(() => {
      if (!document.hidden && Date.now() - heard > SILENCE_MS) htmx.trigger(poll, "poll");
    }, EVERY_MS);
  }

  const STROKES = ["#2f9e44", "#e8890c", "#e03131", "#4263eb"];
  const DASHES = [[], [6, 3], [2, 3], [10, 4]];
  const FEW = 20;  // times; the minute alone would stand there twice
  const upTo = (plot, least, most) => [0, most > 0 ? most * 1.1 : 1];
  const charts = new Map();
  const ink = () => getComputedStyle(document.body).color;

  // A chart shows the table that its data-rows names: times in the first column, then its series.
  const rowsOf = (box) => {
    const table = document.querySelector(`${box.dataset.rows} table`);
    if (!table) return null;
    const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
    const rows = [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent));
    const series = names.map((_, at) => rows.map((row) => row[at + 1] === "" ? null : Number(row[at + 1])));
    return { names, times: rows.map((row) => row[0]), series };
  };
  const draw = (box) => {
    const found = rowsOf(box);
    if (!found || !found.times.length) return;
    const data = [found.times.map((_, at) => at), ...found.series];
    const chart = charts.get(box);
    if (chart) {
      chart.times = found.times;
      chart.plot.setData(data);
      return;
    }
    const kept = { times: found.times };
    const axis = { stroke: ink, grid: { stroke: "#8884" }, ticks: { stroke: "#8888" } };
    const last = found.names.length - 1;
    kept.plot = new uPlot({
      width: box.clientWidth, height: 240,
      cursor: { show: false }, select: { show: false },
      // Where next to nothing happens, a scale to a hundred would say nothing.
      scales: { x: { time: false }, y: { range: upTo }, ms: { range: upTo } },
      axes: [
        { ...axis, values: (_, marks) => marks.map((mark) => (kept.times[mark] || "").slice(0, kept.times.length < FEW ? 8 : 5)) },
        { ...axis, size: 56 },
        { ...axis, size: 56, side: 1, scale: "ms", grid: { show: false } },
      ],
      series: [
        {},
        ...found.names.map((label, at) => ({
          label, stroke: STROKES[at % 4], dash: DASHES[at % 4], width: 2, points: { show: false },
          scale: at === last ? "ms" : "y",
        })),
      ],
      legend: { live: false },
    }, data, box);
    charts.set(box, kept);
  };
  const drawAll = () => document.querySelectorAll(".sw-chart").forEach(draw);
  const redraw = () => charts.forEach(({ plot }) => plot.redraw());

  drawAll();
  document.addEventListener("htmx:after:swap", drawAll);
  document.addEventListener("htmx:sse:after:message", drawAll);
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  addEventListener("resize", () => charts.forEach(({ plot }, box) => plot.setSize({ width: box.clientWidth, height: 240 })));
})();
