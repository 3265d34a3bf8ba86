// Draws each chart from the table beside it: rows are its points, columns with a tone its series.

const TONES = { suspected: "--suspected", notumor: "--clear", uncertain: "--uncertain", refused: "--failed", failed: "--waiting", link: "--link" };
const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const charts = [];

const token = (name) => {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
};

function series(table) {
  const heads = [...table.tHead.rows[0].cells].slice(1);
  return heads.flatMap((head, index) => {
    if (!head.dataset.tone) return [];
    const data = [...table.tBodies[0].rows].map((row) => {
      const { value } = row.cells[index + 1].dataset;
      return value === "" ? null : Number(value);
    });
    return [{ label: head.textContent, data, tone: TONES[head.dataset.tone] }];
  });
}

function coloured(sets) {
  for (const set of sets) Object.assign(set, { backgroundColor: token(set.tone), borderColor: token(set.tone) });
  return sets;
}

function scales(kind) {
  const [ink, line] = [token("--muted"), token("--line")];
  const axis = { ticks: { color: ink, maxRotation: 0, autoSkipPadding: 16 }, grid: { color: line } };
  const shares = kind === "shares";
  const lang = document.documentElement.lang;
  const percent = new Intl.NumberFormat(lang, { style: "percent" });
  return {
    x: { ...axis, stacked: shares, grid: { display: false } },
    y: {
      ...axis, stacked: shares, beginAtZero: true, max: shares || kind === "line" ? 1 : undefined,
      ticks: { ...axis.ticks, precision: kind === "bar" ? 0 : undefined, callback: shares ? (value) => percent.format(value) : undefined },
    },
  };
}

function draw(canvas) {
  const kind = canvas.dataset.chart;
  const table = canvas.closest(".chart").querySelector("table");
  const sets = coloured(series(table));
  const options = {
    responsive: true, maintainAspectRatio: false, animation: still ? false : { duration: 250 },
    locale: document.documentElement.lang, scales: scales(kind), interaction: { mode: "index", intersect: false },
    plugins: { legend: { display: sets.length > 1, position: "bottom", labels: { color: token("--ink") } } },
    spanGaps: true, elements: { point: { radius: 3 }, line: { borderWidth: 2 } },
  };
  if (options.scales.y.ticks.callback === undefined) delete options.scales.y.ticks.callback;
  const labels = [...table.tBodies[0].rows].map((row) => row.cells[0].textContent);
  canvas.parentElement.hidden = false;
  canvas.closest(".chart").querySelector("details").open = false;
  charts.push(new window.Chart(canvas, { type: kind === "line" ? "line" : "bar", data: { labels, datasets: sets }, options }));
}

function recolour() {
  for (const chart of charts) {
    coloured(chart.data.datasets);
    Object.assign(chart.options.scales, scales(chart.canvas.dataset.chart));
    if (chart.options.scales.y.ticks.callback === undefined) delete chart.options.scales.y.ticks.callback;
    chart.options.plugins.legend.labels.color = token("--ink");
    chart.update("none");
  }
}

window.addEventListener("load", () => { for (const canvas of document.querySelectorAll("[data-chart]")) draw(canvas); });
document.addEventListener("portal:theme", recolour);

for (const form of document.querySelectorAll("[data-submit-on-change]")) form.addEventListener("change", () => form.requestSubmit());
