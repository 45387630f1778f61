// A stock's chart: candlesticks with volume, averages, bands and past picks; RSI and MACD in synchronised panes below.
const section = document.getElementById("chart");
const panes = document.getElementById("panes");
const errorMessage = document.getElementById("chart-trouble");
const announcement = document.getElementById("spoken");
const legends = Object.fromEntries([...document.querySelectorAll(".legend-line")].map((line) => [line.dataset.pane, line]));
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const { createChart, CrosshairMode, LineStyle } = window.LightweightCharts;

const rupees = new Intl.NumberFormat("en-IN", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const whole = new Intl.NumberFormat("en-IN", { maximumFractionDigits: 0 });
const dayNames = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const missing = "–";

let bars = { time: [] };
let picksOf = new Map();
let indexOf = new Map();
let marks = [];
let focused = -1;

const charts = { price: newChart("pane-price"), rsi: newChart("pane-rsi"), macd: newChart("pane-macd", true) };
const series = {
  volume: charts.price.addHistogramSeries({ priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false }),
  candles: charts.price.addCandlestickSeries({ priceLineVisible: false, borderVisible: false }),
  bollinger_upper: line(charts.price, 1), bollinger_lower: line(charts.price, 1), bollinger_middle: line(charts.price, 1, LineStyle.Dotted),
  sma_20: line(charts.price, 1), sma_50: line(charts.price, 2), sma_200: line(charts.price, 2),
  rsi_14: line(charts.rsi, 2),
  macd_histogram: charts.macd.addHistogramSeries({ lastValueVisible: false, priceLineVisible: false }),
  macd: line(charts.macd, 2), signal_line: line(charts.macd, 1),
};
charts.price.priceScale("volume").applyOptions({ scaleMargins: { top: 0.8, bottom: 0 } });
series.rsi_14.applyOptions({ autoscaleInfoProvider: () => ({ priceRange: { minValue: 10, maxValue: 90 } }) });
for (const level of [30, 70]) series.rsi_14.createPriceLine({ price: level, lineStyle: LineStyle.Dashed, lineWidth: 1, color: "#5f6b64", axisLabelVisible: true, title: "" });
charts.rsi.priceScale("right").applyOptions({ scaleMargins: { top: 0.02, bottom: 0.02 } });

function newChart(id, withAxis = false) {
  return createChart(document.getElementById(id), {
    autoSize: true,
    crosshair: { mode: CrosshairMode.Normal },
    localization: { locale: "en-IN", priceFormatter: (value) => rupees.format(value), dateFormat: "dd MMM yyyy" },
    rightPriceScale: { borderVisible: false, minimumWidth: 84, entireTextOnly: true },
    timeScale: { borderVisible: false, visible: withAxis, rightOffset: 3 },
    handleScroll: { vertTouchDrag: false },
  });
}

function line(chart, width, style = LineStyle.Solid) {
  return chart.addLineSeries({ lineWidth: width, lineStyle: style, lastValueVisible: false, priceLineVisible: false, crosshairMarkerVisible: false });
}

function applyColours() {
  const all = { layout: { background: { color: colour("card") }, textColor: colour("faint"), fontFamily: getComputedStyle(document.body).fontFamily }, grid: { vertLines: { color: colour("track") }, horzLines: { color: colour("track") } } };
  for (const chart of Object.values(charts)) chart.applyOptions(all);
  series.candles.applyOptions({ upColor: colour("candle-up"), wickUpColor: colour("candle-up"), downColor: colour("candle-down"), wickDownColor: colour("candle-down") });
  for (const name of ["sma_20", "sma_50", "sma_200"]) series[name].applyOptions({ color: colour(name.replace("_", "-")) });
  for (const name of ["bollinger_upper", "bollinger_middle", "bollinger_lower"]) series[name].applyOptions({ color: colour("bollinger") });
  series.rsi_14.applyOptions({ color: colour("sma-50") });
  series.macd.applyOptions({ color: colour("sma-50") });
  series.signal_line.applyOptions({ color: colour("sma-20") });
  draw();
}

// A session without a value is a gap in the line.
function points(name, more = () => ({})) {
  return bars.time.map((time, at) => (bars[name][at] === null ? { time } : { time, value: bars[name][at], ...more(at) }));
}

function draw() {
  if (!bars.time.length) return;
  const rose = (at) => bars.close[at] >= bars.open[at];
  const tint = (up) => colour(up ? "candle-up" : "candle-down") + "66";
  series.candles.setData(bars.time.map((time, at) => ({ time, open: bars.open[at], high: bars.high[at], low: bars.low[at], close: bars.close[at] })));
  const [before, last] = bars.close.slice(-2);
  series.candles.applyOptions({ priceLineColor: colour((last ?? before) >= before ? "candle-up" : "candle-down") });
  series.volume.setData(points("volume", (at) => ({ color: tint(rose(at)) })));
  series.macd_histogram.setData(points("macd_histogram", (at) => ({ color: tint(bars.macd_histogram[at] >= 0) })));
  for (const name of ["sma_20", "sma_50", "sma_200", "bollinger_upper", "bollinger_middle", "bollinger_lower", "rsi_14", "macd", "signal_line"]) series[name].setData(points(name));
  marks = [...picksOf.keys()].filter((time) => indexOf.has(time)).sort().map((time) => ({ time, position: "belowBar", shape: "circle", color: colour("accent"), size: 0.8 }));
  showLayers();
}

function showLayers() {
  for (const box of section.querySelectorAll("[data-layer]")) {
    const names = box.dataset.layer === "bollinger" ? ["bollinger_upper", "bollinger_middle", "bollinger_lower"] : [box.dataset.layer];
    if (box.dataset.layer === "picks") series.candles.setMarkers(box.checked ? marks : []);
    else for (const name of names) series[name].applyOptions({ visible: box.checked });
  }
}

function value(name, at, format = rupees) {
  const number = bars[name][at];
  return number === null || number === undefined ? missing : format.format(number);
}

function fillLegend(line, pairs) {
  line.replaceChildren(...pairs.flatMap(([name, text]) => {
    const strong = document.createElement("b");
    strong.textContent = text;
    return [`${name} `, strong];
  }));
}

function describe(at) {
  if (at < 0 || at >= bars.time.length) return;
  focused = at;
  const before = at > 0 ? (bars.close[at] / bars.close[at - 1] - 1) * 100 : null;
  const change = before === null ? missing : `${Math.abs(before) < 0.005 ? "" : before < 0 ? "−" : "+"}${Math.abs(before).toFixed(2)} %`;
  const day = dayNames.format(new Date(`${bars.time[at]}T00:00:00Z`));
  const price = [["", day], ["O", value("open", at)], ["H", value("high", at)], ["L", value("low", at)], ["C", value("close", at)], ["", change], ["Vol", value("volume", at, whole)], ["SMA 20", value("sma_20", at)], ["50", value("sma_50", at)], ["200", value("sma_200", at)], ["Bands", `${value("bollinger_lower", at)} – ${value("bollinger_upper", at)}`]];
  const picked = picksOf.get(bars.time[at]);
  if (picked) price.push(["Picked by", picked.map((pick) => `${pick.strategy}${pick.rank ? ` #${pick.rank}` : ""}`).join(", ")]);
  fillLegend(legends.price, price);
  fillLegend(legends.rsi, [["RSI 14", value("rsi_14", at)]]);
  fillLegend(legends.macd, [["MACD 12, 26, 9", value("macd", at)], ["Signal", value("signal_line", at)], ["Histogram", value("macd_histogram", at)]]);
}

function moveCrosshairs(at, except = null) {
  const lead = { price: ["candles", bars.close[at]], rsi: ["rsi_14", bars.rsi_14[at] ?? 50], macd: ["macd", bars.macd[at] ?? 0] };
  for (const [name, [of, height]] of Object.entries(lead)) if (name !== except) charts[name].setCrosshairPosition(height, bars.time[at], series[of]);
}

function synchroniseCharts() {
  let moving = false;
  for (const [name, chart] of Object.entries(charts)) {
    chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (moving || !range) return;
      moving = true;
      for (const other of Object.values(charts)) if (other !== chart) other.timeScale().setVisibleLogicalRange(range);
      moving = false;
    });
    chart.subscribeCrosshairMove((event) => {
      if (event.sourceEvent === undefined) return;
      const at = event.time === undefined ? bars.time.length - 1 : indexOf.get(event.time);
      if (at === undefined) return;
      describe(at);
      if (event.time === undefined) for (const other of Object.values(charts)) other.clearCrosshairPosition();
      else moveCrosshairs(at, name);
    });
  }
}

function startDate(months) {
  const day = new Date(`${section.dataset.last}T00:00:00Z`);
  // Five calendar years are within the server's limit of 5 × 366 days.
  day.setUTCMonth(day.getUTCMonth() - months);
  return day.toISOString().slice(0, 10);
}

async function load(from) {
  const response = await fetch(`${section.dataset.url}?from=${from}&to=${section.dataset.last}`, { headers: { Accept: "application/json" } });
  const body = await response.json();
  if (!response.ok) throw new Error(body.error ? body.error.message : `The server answered ${response.status}.`);
  bars = body.bars;
  indexOf = new Map(bars.time.map((time, at) => [time, at]));
  picksOf = Map.groupBy ? Map.groupBy(body.picks, (pick) => pick.date) : groupByDate(body.picks);
  section.dataset.from = from;
  draw();
}

// For browsers without Map.groupBy.
function groupByDate(picks) {
  const groups = new Map();
  for (const pick of picks) groups.set(pick.date, [...(groups.get(pick.date) || []), pick]);
  return groups;
}

async function showRange(months) {
  const from = startDate(months);
  try {
    // Averages are stored, not computed from the loaded bars, so a shorter range needs no reload.
    if (!section.dataset.from || from < section.dataset.from) await load(from);
    errorMessage.hidden = true;
  } catch (error) {
    errorMessage.textContent = `The bars could not be loaded: ${error.message} Choose a range to try again.`;
    errorMessage.hidden = false;
    return;
  }
  const first = bars.time.findIndex((time) => time >= from);
  charts.price.timeScale().setVisibleLogicalRange({ from: Math.max(first, 0) - 0.5, to: bars.time.length + 1.5 });
  for (const button of section.querySelectorAll("[data-months]")) button.setAttribute("aria-pressed", String(Number(button.dataset.months) === months));
  describe(bars.time.length - 1);
  section.dataset.ready = String(months);
}

function step(by) {
  const at = Math.min(Math.max(focused + by, 0), bars.time.length - 1);
  describe(at);
  moveCrosshairs(at);
  const range = charts.price.timeScale().getVisibleLogicalRange();
  const shift = at < range.from ? at - range.from - 1 : at > range.to ? at - range.to + 1 : 0;
  if (shift) charts.price.timeScale().setVisibleLogicalRange({ from: range.from + shift, to: range.to + shift });
  announcement.textContent = legends.price.textContent;
}

function zoom(by) {
  const range = charts.price.timeScale().getVisibleLogicalRange();
  const span = Math.max((range.to - range.from) * by, 10);
  charts.price.timeScale().setVisibleLogicalRange({ from: range.to - span, to: range.to });
}

const keys = { ArrowLeft: () => step(-1), ArrowRight: () => step(1), Home: () => step(-bars.time.length), End: () => step(bars.time.length), "+": () => zoom(0.7), "=": () => zoom(0.7), "-": () => zoom(1.4) };
panes.addEventListener("keydown", (event) => {
  if (!keys[event.key] || event.ctrlKey || event.metaKey || !bars.time.length) return;
  event.preventDefault();
  keys[event.key]();
});
section.addEventListener("click", (event) => {
  const button = event.target.closest("[data-months]");
  if (button) showRange(Number(button.dataset.months));
});
section.addEventListener("change", showLayers);
dark.addEventListener("change", applyColours);
synchroniseCharts();
applyColours();
showRange(12);
