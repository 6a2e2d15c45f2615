// Value at the cursor, lines on and off, zoom by dragging or with buttons. All of it comes from the page.
"use strict";
const SPACE = "http://www.w3.org/2000/svg";
const round = (value) => Number(value.toPrecision(6));
const written = (value) => value.toLocaleString("en", { maximumSignificantDigits: 9 });

const put = (name, parent, attributes, text) => {
  const made = parent.namespaceURI === SPACE ? document.createElementNS(SPACE, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
};

// Round values from low to high, as many as those of the drawing.
const ticks = (low, high, count) => {
  const rough = Math.max(high - low, 1e-12) / count, power = 10 ** Math.floor(Math.log10(rough));
  const off = (step) => Math.abs(Math.log(step / rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).reduce((a, b) => (off(b) < off(a) ? b : a));
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n <= Math.floor(high / step + 1e-9); n++) found.push(round(n * step));
  return found;
};

for (const figure of document.querySelectorAll("figure.chart")) {
  const data = JSON.parse(figure.querySelector("script").textContent);
  const frame = figure.querySelector(".frame"), svg = figure.querySelector("svg"), tip = figure.querySelector(".tip");
  const paths = [...svg.querySelectorAll("path.line")], keys = [...figure.querySelectorAll(".key")];
  const marks = [...svg.querySelectorAll(".mark")], shade = svg.querySelector(".warm-up");
  const [xTicks, yTicks] = [svg.querySelector(".x-ticks"), svg.querySelector(".y-ticks")];
  const [left, right, top, bottom, width, height] = data.frame;
  const wide = width - left - right, tall = height - top - bottom;
  const last = data.x[data.x.length - 1] + data.binWidth, whole = [data.x[0], last];
  const ends = [...data.x.slice(1), last];
  const unit = (/\(([^()]+)\)$/.exec(data.yLabel) || ["", ""])[1];
  let range = [...whole], yHigh = 1, dragFrom = null;
  const band = put("rect", svg, { class: "band", y: top, height: tall });
  const cursor = put("line", svg, { class: "cursor", y1: top, y2: height - bottom });

  const isShown = (n) => keys[n].getAttribute("aria-pressed") === "true";
  const isInside = (i) => data.binWidth ? ends[i] > range[0] && data.x[i] < range[1] : data.x[i] >= range[0] && data.x[i] <= range[1];
  const clipped = (x) => Math.min(Math.max(x, range[0]), range[1]);
  const atX = (v) => left + wide * (v - range[0]) / (range[1] - range[0]);
  const atY = (v) => top + tall * (1 - v / yHigh);
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) * width / box.width, left), width - right);
  };
  const value = (x) => range[0] + (range[1] - range[0]) * (x - left) / wide;

  const drawLine = (path, n) => {
    let text = "", pen = "M";
    data.series[n].y.forEach((y, i) => {
      if (y === null || !isInside(i)) { pen = "M"; return; }
      text += pen + atX(clipped(data.x[i])).toFixed(1) + " " + atY(y).toFixed(1);
      if (data.binWidth) text += "H" + atX(clipped(ends[i])).toFixed(1);
      pen = "L";
    });
    path.setAttribute("d", text);
    path.classList.toggle("off", !isShown(n));
  };
  const drawMarks = () => {
    let first = -1;
    marks.forEach((mark, n) => {
      const x = data.marks[n].x, at = atX(x), line = mark.querySelector("line"), text = mark.querySelector("text");
      const inside = x >= range[0] && x <= range[1];
      mark.style.display = inside ? "" : "none";
      text.textContent = "";
      if (!inside) return;
      for (const [name, v] of [["x1", at], ["x2", at]]) line.setAttribute(name, v);
      text.setAttribute("x", at);
      if (first < 0 || at - atX(data.marks[first].x) > data.labelWidth) first = n;
      marks[first].querySelector("text").textContent = first === n ? n + 1 : `${first + 1}-${n + 1}`;
    });
  };
  const draw = () => {
    const heights = data.series.flatMap((s, n) => isShown(n) ? s.y.filter((y, i) => y !== null && isInside(i)) : []);
    yHigh = heights.reduce((a, b) => Math.max(a, b), 0) * data.headRoom || 1;
    yTicks.replaceChildren();
    for (const v of ticks(0, yHigh, data.ticks)) {
      put("line", yTicks, { class: "grid", x1: left, x2: width - right, y1: atY(v), y2: atY(v) });
      put("text", yTicks, { x: left - 6, y: atY(v) + 4, "text-anchor": "end" }, written(v));
    }
    xTicks.replaceChildren();
    for (const v of ticks(...range, data.ticks)) {
      put("text", xTicks, { x: atX(v), y: height - bottom + 16, "text-anchor": "middle" }, written(v));
    }
    if (shade) {
      const end = Math.min(data.warmUp, range[1]);
      shade.setAttribute("width", end > range[0] ? atX(end) - left : 0);
    }
    paths.forEach(drawLine);
    drawMarks();
    back.disabled = outwards.disabled = range[0] === whole[0] && range[1] === whole[1];
  };
  const zoom = (low, high) => {
    const narrowest = data.binWidth || (last - whole[0]) / data.x.length;
    if (high - low < narrowest) return;
    range = [Math.max(low, whole[0]), Math.min(high, whole[1])];
    hide();
    draw();
  };
  const by = (factor) => {
    const middle = (range[0] + range[1]) / 2, half = (range[1] - range[0]) * factor / 2;
    zoom(middle - half, middle + half);
  };

  const hide = () => { tip.hidden = true; cursor.style.display = band.style.display = "none"; };
  const nearest = (wanted) => {
    if (data.binWidth) return Math.max(0, data.x.findLastIndex((v) => v <= wanted));
    return data.x.reduce((best, v, i) => Math.abs(v - wanted) < Math.abs(data.x[best] - wanted) ? i : best, 0);
  };
  const look = (event) => {
    const x = place(event), i = nearest(value(x));
    const at = atX(clipped(data.binWidth ? (data.x[i] + ends[i]) / 2 : data.x[i]));
    cursor.setAttribute("x1", at);
    cursor.setAttribute("x2", at);
    cursor.style.display = "";
    tip.replaceChildren();
    put("b", tip, {}, `${data.xLabel}: ${written(data.x[i])}${data.binWidth ? " to " + written(ends[i]) : ""}`);
    data.series.forEach((series, n) => {
      if (!isShown(n)) return;
      const y = series.y[i], row = put("div", tip, { class: "s" + series.colour });
      put("i", row, { class: series.isDashed ? "dashed" : "" });
      row.append(`${series.name}: ${y === null ? "-" : `${y} ${unit}`}`);
    });
    if (data.binWidth) for (const mark of data.marks.filter((m) => m.x >= data.x[i] && m.x < ends[i]).slice(0, 4)) {
      put("small", tip, {}, mark.text);
    }
    tip.hidden = false;
    const box = svg.getBoundingClientRect(), share = at / width;
    tip.style.left = share * box.width + (share > 0.5 ? -12 : 12) + "px";
    tip.style.transform = share > 0.5 ? "translateX(-100%)" : "";
    if (dragFrom !== null) {
      band.setAttribute("x", Math.min(dragFrom, x));
      band.setAttribute("width", Math.abs(x - dragFrom));
      band.style.display = "";
    }
  };

  const tools = document.createElement("div");
  tools.className = "tools";
  frame.after(tools);
  const button = (text, act) => {
    const made = put("button", tools, { type: "button" }, text);
    made.addEventListener("click", act);
    return made;
  };
  button("Zoom in", () => by(0.5));
  const outwards = button("Zoom out", () => by(2));
  const back = button("Whole range", () => zoom(...whole));
  if (keys.length > 2) {
    const press = (shown) => { keys.forEach((key) => key.setAttribute("aria-pressed", shown)); draw(); };
    button("All lines", () => press(true));
    button("No lines", () => press(false));
  }
  put("span", tools, {}, "Point for values, drag to zoom, click a name to hide or show its line.");

  svg.addEventListener("pointermove", look);
  svg.addEventListener("pointerleave", (event) => {
    dragFrom = null;
    if (event.pointerType === "mouse") hide(); // a finger leaves whenever it is lifted
  });
  svg.addEventListener("pointerdown", (event) => {
    look(event);
    if (event.pointerType !== "mouse") return;
    dragFrom = place(event);
    event.preventDefault();
  });
  svg.addEventListener("pointerup", (event) => {
    const from = dragFrom, to = place(event);
    dragFrom = null;
    band.style.display = "none";
    if (from !== null && Math.abs(to - from) > 8) zoom(value(Math.min(from, to)), value(Math.max(from, to)));
  });
  svg.addEventListener("dblclick", () => zoom(...whole));
  keys.forEach((key, n) => key.addEventListener("click", () => {
    key.setAttribute("aria-pressed", !isShown(n));
    draw();
  }));
  hide();
  draw();
}

// On paper nothing can be opened: what explains the figures is open there.
const folded = () => document.querySelectorAll("details.on-paper:not([open])");
let opened = [];
addEventListener("beforeprint", () => { opened = [...folded()]; opened.forEach((found) => { found.open = true; }); });
addEventListener("afterprint", () => { opened.forEach((found) => { found.open = false; }); opened = []; });
