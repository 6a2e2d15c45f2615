// Value at the cursor, lines on and off, zoom by dragging. Everything comes from the page itself.
"use strict";
for (const figure of document.querySelectorAll("figure.chart")) {
  const data = JSON.parse(figure.querySelector("script").textContent);
  const svg = figure.querySelector("svg"), tip = figure.querySelector(".tip");
  const paths = [...svg.querySelectorAll("path.line")];
  const keys = [...figure.querySelectorAll(".key")];
  const ticks = [...svg.querySelectorAll("text.tick[text-anchor=middle]")];
  const marks = [...svg.querySelectorAll(".mark")];
  const [left, right, top, bottom, width, height] = data.frame;
  const whole = [data.x[0], data.x[data.x.length - 1]];
  let range = [...whole], dragFrom = null;
  const space = "http://www.w3.org/2000/svg";
  const cursor = document.createElementNS(space, "line");
  cursor.setAttribute("class", "cursor");
  const band = document.createElementNS(space, "rect");
  band.setAttribute("class", "band");
  svg.append(band, cursor);

  const atX = (v) => left + (width - left - right) * (v - range[0]) / (range[1] - range[0]);
  const atY = (v) => top + (height - top - bottom) * (1 - v / data.yHigh);
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) * width / box.width;
    return Math.min(Math.max(x, left), width - right);
  };
  const value = (x) => range[0] + (range[1] - range[0]) * (x - left) / (width - left - right);
  const draw = () => {
    paths.forEach((path, n) => {
      let text = "", pen = "M";
      data.x.forEach((x, i) => {
        const y = data.series[n].y[i];
        if (y === null || x < range[0] || x > range[1]) { pen = "M"; return; }
        text += pen + atX(x).toFixed(1) + " " + atY(y).toFixed(1);
        pen = "L";
      });
      path.setAttribute("d", text);
    });
    ticks.forEach((tick, n) => {
      const v = range[0] + (range[1] - range[0]) * (n + 0.5) / ticks.length;
      tick.setAttribute("x", atX(v));
      tick.textContent = Number(v.toPrecision(4));
    });
    marks.forEach((mark, n) => {
      const x = data.marks[n].x, shown = x >= range[0] && x <= range[1];
      mark.style.display = shown ? "" : "none";
      const line = mark.querySelector("line"), text = mark.querySelector("text");
      line.setAttribute("x1", atX(data.marks[n].x));
      line.setAttribute("x2", atX(data.marks[n].x));
      text.setAttribute("x", atX(data.marks[n].x) + 3);
    });
  };
  const hide = () => { tip.hidden = true; cursor.style.display = band.style.display = "none"; };
  const look = (event) => {
    const x = place(event), wanted = value(x);
    let best = 0;
    data.x.forEach((v, i) => {
      if (Math.abs(v - wanted) < Math.abs(data.x[best] - wanted)) best = i;
    });
    const at = atX(data.x[best]);
    for (const [name, v] of [["x1", at], ["x2", at], ["y1", top], ["y2", height - bottom]]) {
      cursor.setAttribute(name, v);
    }
    cursor.style.display = "";
    tip.replaceChildren();
    const head = document.createElement("b");
    head.textContent = data.xLabel + ": " + data.x[best];
    tip.append(head);
    data.series.forEach((series, n) => {
      if (keys[n].getAttribute("aria-pressed") !== "true") return;
      const row = document.createElement("div"), y = series.y[best];
      row.className = "s" + series.colour;
      row.append(document.createElement("i"), series.name + ": " + (y === null ? "-" : y));
      tip.append(row);
    });
    tip.hidden = false;
    const box = svg.getBoundingClientRect(), share = at / width;
    tip.style.left = share > 0.6 ? "" : share * box.width + 12 + "px";
    tip.style.right = share > 0.6 ? (1 - share) * box.width + 12 + "px" : "";
    if (dragFrom !== null) {
      band.setAttribute("x", Math.min(dragFrom, x));
      band.setAttribute("width", Math.abs(x - dragFrom));
      band.setAttribute("y", top);
      band.setAttribute("height", height - top - bottom);
      band.style.display = "";
    }
  };
  svg.addEventListener("pointermove", look);
  svg.addEventListener("pointerleave", () => { dragFrom = null; hide(); });
  svg.addEventListener("pointerdown", (event) => { dragFrom = place(event); event.preventDefault(); });
  svg.addEventListener("pointerup", (event) => {
    if (dragFrom !== null && Math.abs(place(event) - dragFrom) > 8) {
      range = [value(Math.min(dragFrom, place(event))), value(Math.max(dragFrom, place(event)))];
      draw();
    }
    dragFrom = null;
    band.style.display = "none";
  });
  svg.addEventListener("dblclick", () => { range = [...whole]; draw(); });
  keys.forEach((key, n) => key.addEventListener("click", () => {
    const shown = key.getAttribute("aria-pressed") !== "true";
    key.setAttribute("aria-pressed", shown);
    paths[n].classList.toggle("off", !shown);
  }));
  hide();
}
