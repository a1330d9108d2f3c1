"use strict";
(() => {
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
// What is null is left out: the browser would write the word.
const given = children => children.filter(child => child != null);
// All text goes in as text: names are never read as markup.
const make = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...given(children));
  return element;
};
const whole = n => n.toLocaleString("en-US");
const percent = x => (100 * x).toFixed(1) + "\u00a0%";
document.documentElement.classList.add("js");

// Tables: sort by a header, search in the rows.
const keyOf = cell => {
  const text = cell ? cell.textContent.trim() : "";
  const number = /^[<>≤≥+]?\s*[\u2212-]?[\d,]*\.?\d+/.exec(text);
  return number ? parseFloat(number[0].replace(/[<>≤≥+,\s]/g, "").replace("\u2212", "-")) : text;
};
const compare = (a, b) => {
  const numbers = typeof a === "number" && typeof b === "number";
  return numbers ? a - b : typeof a === "number" ? 1 : typeof b === "number" ? -1 : a.localeCompare(b, "en");
};
for (const table of $$("table:not(.group-matrix)")) {
  const body = table.tBodies[0];
  if (!body || body.rows.length < 3) continue;
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = make("button", {type: "button", class: "sort"}, ...header.childNodes);
    header.append(button);
    const isNumber = header.classList.contains("n");
    button.addEventListener("click", () => {
      const now = header.getAttribute("aria-sort");
      const up = now ? now === "descending" : !isNumber;
      $$("th[aria-sort]", table).forEach(other => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].map(row => {
        const cell = row.cells[column];
        const key = isNumber ? keyOf(cell) : cell.textContent.trim();
        return [isNumber && typeof key !== "number" ? null : key, row];
      });
      // What has no number stays at the end, whichever way.
      rows.sort((a, b) => a[0] === null ? (b[0] === null ? 0 : 1) : b[0] === null ? -1
        : up ? compare(a[0], b[0]) : compare(b[0], a[0]));
      body.append(...rows.map(row => row[1]));
    });
  });
  if (table.dataset.search && body.rows.length > 12) {
    const input = make("input", {type: "search", "aria-controls": table.id, spellcheck: "false"});
    const count = make("span", {role: "status"});
    const wrap = table.parentElement;
    wrap.before(make("div", {class: "search"}, make("label", {}, "Filter the rows "), input, count));
    input.id = table.id + "-search";
    input.previousSibling.htmlFor = input.id;
    const texts = [...body.rows].map(row => [row, row.textContent.toLowerCase()]);
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      let shown = 0;
      for (const [row, text] of texts) {
        row.hidden = !text.includes(wanted);
        if (!row.hidden) shown += 1;
      }
      count.textContent = wanted ? whole(shown) + " of " + whole(texts.length) + " rows" : "";
    });
  }
}

// The contents show where the reader is.
const links = new Map($$(".contents a").map(link => [link.hash.slice(1), link]));
if ("IntersectionObserver" in window) {
  const seen = new Set();
  const observer = new IntersectionObserver(entries => {
    for (const entry of entries) entry.isIntersecting ? seen.add(entry.target.id) : seen.delete(entry.target.id);
    const current = [...links.keys()].find(id => seen.has(id));
    if (!current) return;
    for (const [id, link] of links) id === current ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  }, {rootMargin: "-10% 0px -60% 0px"});
  for (const id of links.keys()) { const section = document.getElementById(id); if (section) observer.observe(section); }
}

// A link to something inside a closed part opens it.
const reveal = () => {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let parent = target && target.parentElement; parent; parent = parent.parentElement)
    if (parent.tagName === "DETAILS") parent.open = true;
  if (target) { const row = target.closest("tr"); if (row) row.hidden = false; target.scrollIntoView({block: row ? "center" : "start"}); }
};
addEventListener("hashchange", reveal);

// Print everything that is folded, then fold it again.
let folded = [];
addEventListener("beforeprint", () => { folded = $$("details.fold:not([open])"); folded.forEach(d => { d.open = true; }); });
addEventListener("afterprint", () => folded.forEach(d => { d.open = false; }));

const data = JSON.parse($("#data").textContent);
const still = $("#matrix .matrix");
if (still && data.cells && data.cells.length) { still.classList.add("matrix-still"); explore(); }
reveal();

function explore() {
  const n = data.classes.length;
  const names = data.classes;
  // Truth, predicted, count, place of its first listed image, listed images.
  const cells = [], at = new Map();
  for (let i = 0, place = 0; i < data.cells.length; i += 4) {
    const [t, p, count, listed] = data.cells.slice(i, i + 4);
    const cell = {t, p, count, place, listed};
    cells.push(cell); at.set(t * n + p, cell); place += listed;
  }
  const thumbs = new Map();
  for (let i = 0; i < data.thumbs.length; i += 2) thumbs.set(data.thumbs[i], data.thumbs[i + 1]);

  const orderNames = {seriated: "confusable side by side", alphabetical: "alphabetical", recall: "lowest recall first", support: "most images first", group: "by group"};
  const option = (value, words) => make("option", {value}, words);
  const order = make("select", {}, ...Object.keys(data.orders).map(name => option(name, orderNames[name])));
  const shade = make("select", {}, option("raw", "images (logarithmic)"), option("row", "share of the true class"), option("column", "share of the prediction"));
  const diagonal = make("input", {type: "checkbox", checked: true});
  const across = make("input", {type: "checkbox"});
  const button = (words, label, action) => {
    const element = make("button", {type: "button", "aria-label": label}, words);
    element.addEventListener("click", action);
    return element;
  };
  const label = (words, control) => make("label", {}, words, control);
  const check = (words, control) => make("label", {class: "check"}, control, words);
  const canvas = make("canvas", {tabindex: "0", role: "img", "aria-label":
    "Confusion matrix, " + n + " classes. Arrow keys move the cell cursor, Page Up and Page Down go to the next error of the row, Enter shows its images, plus and minus zoom.",
    "aria-describedby": "cell-card"});
  const card = make("div", {class: "cell-card", id: "cell-card"});
  const live = make("p", {class: "live", "aria-live": "polite", id: "matrix-live"});
  const images = make("div", {id: "cell-images", hidden: true});
  const tools = make("div", {class: "tools"}, label("Order of the classes", order), label("Colour shows", shade),
    check("right answers", diagonal), data.groups ? check("only across groups", across) : null,
    make("span", {class: "zooms"}, button("−", "Zoom out", () => zoom(1.6)), button("+", "Zoom in", () => zoom(1 / 1.6)), button("Whole", "Show the whole matrix", () => { view = {x: 0, y: 0, size: n}; draw(); })));
  const legend = $(".legend", still);
  const figure = make("figure", {class: "matrix matrix-live"}, tools,
    make("div", {class: "explorer"}, canvas, card), legend ? legend.cloneNode(true) : null, live, images);
  // Copies must not repeat the ids of what they copy.
  $$("[id]", figure).forEach(element => { if (element.closest(".legend")) element.removeAttribute("id"); });
  $$(".legend svg", figure).forEach(svg => { svg.removeAttribute("aria-labelledby"); svg.setAttribute("aria-hidden", "true"); svg.removeAttribute("role"); });
  still.after(figure);

  let view = {x: 0, y: 0, size: n};
  let cursor = null, hover = null, list = [], place = [];
  const reorder = () => {
    list = data.orders[order.value];
    place = new Array(n);
    list.forEach((labelOf, index) => { place[labelOf] = index; });
  };
  const isShown = cell => (diagonal.checked || cell.t !== cell.p) &&
    (!across.checked || cell.t === cell.p || data.groups[cell.t] !== data.groups[cell.p]);
  let mostWrong = 1, mostRight = 1;
  for (const cell of cells) {
    if (cell.t === cell.p) mostRight = Math.max(mostRight, cell.count);
    else mostWrong = Math.max(mostWrong, cell.count);
  }
  const logOf = (count, most) => most > 1 ? Math.log(count) / Math.log(most) : 1;
  const strength = cell => {
    if (shade.value === "raw") return logOf(cell.count, cell.t === cell.p ? mostRight : mostWrong);
    const share = cell.count / (shade.value === "row" ? data.support[cell.t] : data.predicted[cell.p]);
    return cell.t === cell.p ? share : Math.sqrt(share);
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const plot = {left: 0, top: 0, side: 0};

  function draw() {
    const width = Math.round(canvas.clientWidth);
    if (!width) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = canvas.height = Math.round(width * ratio);
    const g = canvas.getContext("2d");
    g.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const color = name => style.getPropertyValue("--" + name).trim();
    const errors = dark.matches ? data.ramps.errorsDark : data.ramps.errorsLight;
    const right = dark.matches ? data.ramps.rightDark : data.ramps.rightLight;
    const small = width < 460;
    plot.left = small ? 58 : 104; plot.top = small ? 58 : 104;
    const margin = small ? 22 : 40;
    plot.side = width - plot.left - margin;
    const size = plot.side / view.size;
    const xOf = index => plot.left + (index - view.x) * size;
    const yOf = index => plot.top + (index - view.y) * size;
    g.fillStyle = color("page");
    g.fillRect(plot.left, plot.top, plot.side, plot.side);
    g.save();
    g.beginPath();
    g.rect(plot.left, plot.top, plot.side, plot.side);
    g.clip();
    const gap = size > 7 ? 1 : 0;
    g.font = "12px " + color("sans");
    g.textAlign = "center"; g.textBaseline = "middle";
    for (const cell of cells) {
      const row = place[cell.t], column = place[cell.p];
      if (row < view.y - 1 || row >= view.y + view.size || column < view.x - 1 || column >= view.x + view.size || !isShown(cell)) continue;
      const steps = cell.t === cell.p ? right : errors;
      const step = Math.round(Math.min(1, Math.max(0, strength(cell))) * (steps.length - 1));
      g.fillStyle = steps[step];
      g.fillRect(xOf(column), yOf(row), Math.max(size - gap, 1), Math.max(size - gap, 1));
      if (size >= 22) {
        // The ramps go one way in lightness: half of it decides on dark or light words.
        g.fillStyle = (step > steps.length * .42) === dark.matches ? "#14171c" : step > steps.length * .42 ? "#fff" : dark.matches ? "#fff" : "#14171c";
        const words = shade.value === "raw" ? whole(cell.count) : Math.round(100 * cell.count / (shade.value === "row" ? data.support[cell.t] : data.predicted[cell.p])) + "%";
        if (g.measureText(words).width < size - 3) g.fillText(words, xOf(column) + size / 2, yOf(row) + size / 2);
      }
    }
    g.restore();
    g.strokeStyle = color("edge");
    g.strokeRect(plot.left - .5, plot.top - .5, plot.side + 1, plot.side + 1);
    // Margins: the share found of a row, the share right of a column.
    g.fillStyle = color("edge");
    g.globalAlpha = .6;
    for (let index = Math.floor(view.y); index < Math.min(n, view.y + view.size); index += 1) {
      const cell = at.get(list[index] * n + list[index]);
      if (!cell) continue;
      g.fillRect(plot.left + plot.side + 4, Math.max(yOf(index), plot.top), (margin - 6) * cell.count / data.support[cell.t], Math.max(1, size - gap));
    }
    for (let index = Math.floor(view.x); index < Math.min(n, view.x + view.size); index += 1) {
      const cell = at.get(list[index] * n + list[index]);
      if (!cell) continue;
      g.fillRect(Math.max(xOf(index), plot.left), plot.top + plot.side + 4, Math.max(1, size - gap), (margin - 6) * cell.count / data.predicted[cell.p]);
    }
    g.globalAlpha = 1;
    // Names where there is room.
    g.fillStyle = color("muted");
    const font = size >= 13 ? 12 : 10;
    g.font = font + "px " + color("sans");
    const every = Math.max(1, Math.ceil((font + 2) / size));
    const clip = (text, room) => { let t = text; while (t.length > 2 && g.measureText(t).width > room) t = t.slice(0, -2) + "…"; return t; };
    for (let index = Math.ceil(view.y / every) * every; index < Math.min(n, view.y + view.size); index += every) {
      const y = yOf(index) + size / 2;
      if (y < plot.top || y > plot.top + plot.side) continue;
      g.textAlign = "right";
      g.fillText(clip(names[list[index]], plot.left - 8), plot.left - 6, y);
    }
    for (let index = Math.ceil(view.x / every) * every; index < Math.min(n, view.x + view.size); index += every) {
      const x = xOf(index) + size / 2;
      if (x < plot.left || x > plot.left + plot.side) continue;
      g.save();
      g.translate(x, plot.top - 6);
      g.rotate(-Math.PI / 2);
      g.textAlign = "left";
      g.fillText(clip(names[list[index]], plot.top - 8), 0, 0);
      g.restore();
    }
    const mark = (spot, line) => {
      if (!spot) return;
      const x = xOf(spot.column), y = yOf(spot.row);
      if (x + size < plot.left || y + size < plot.top || x > plot.left + plot.side || y > plot.top + plot.side) return;
      g.strokeStyle = color("ink");
      g.lineWidth = line;
      g.globalAlpha = .28;
      g.strokeRect(plot.left, y, plot.side, size);
      g.strokeRect(x, plot.top, size, plot.side);
      g.globalAlpha = 1;
      g.strokeRect(x - 1, y - 1, size + 2, size + 2);
      g.lineWidth = 1;
    };
    mark(hover, 1);
    mark(cursor, 2);
  }

  const cellAt = spot => at.get(list[spot.row] * n + list[spot.column]);
  const describe = spot => {
    const t = list[spot.row], p = list[spot.column], cell = cellAt(spot), count = cell ? cell.count : 0;
    return {t, p, cell, count, row: data.support[t] ? count / data.support[t] : 0, column: data.predicted[p] ? count / data.predicted[p] : 0};
  };
  const show = spot => {
    if (!spot) {
      card.replaceChildren(make("p", {class: "big"}, "Point at a cell"),
        make("p", {}, "or move there with the arrow keys ", make("kbd", {}, "←↑→↓"), "."),
        make("p", {}, "A click or ", make("kbd", {}, "Enter"), " shows its images. Zoom with ", make("kbd", {}, "+"), " and ", make("kbd", {}, "−"), "."));
      return;
    }
    const d = describe(spot);
    const bdi = text => make("bdi", {}, text);
    const fact = (term, words) => [make("dt", {}, term), make("dd", {}, words)];
    card.replaceChildren(...given([
      make("p", {class: "big"}, bdi(names[d.t]), make("small", {}, d.t === d.p ? "recognised" : "mistaken for"), d.t === d.p ? null : bdi(names[d.p])),
      make("dl", {}, ...fact("Images", whole(d.count)), ...fact("Of the true class", percent(d.row)), ...fact("Of the prediction", percent(d.column)),
        ...fact("True class has", whole(data.support[d.t])), ...fact("Predicted", whole(data.predicted[d.p]))),
      d.cell && d.cell.listed ? make("p", {}, button("Show images", "Show the images of this cell", () => gallery(spot))) : null]));
    $$("button", card).forEach(element => { element.className = "open-cell"; });
  };
  const say = spot => {
    const d = describe(spot);
    live.textContent = names[d.t] + (d.t === d.p ? " recognised: " : " mistaken for " + names[d.p] + ": ") + d.count + (d.count === 1 ? " image, " : " images, ") + percent(d.row) + " of the true class";
  };
  const spotOf = event => {
    const box = canvas.getBoundingClientRect();
    const size = plot.side / view.size;
    const column = Math.floor((event.clientX - box.left - plot.left) / size + view.x);
    const row = Math.floor((event.clientY - box.top - plot.top) / size + view.y);
    const inside = event.clientX - box.left >= plot.left && event.clientY - box.top >= plot.top && row >= 0 && column >= 0 && row < Math.min(n, view.y + view.size) && column < Math.min(n, view.x + view.size);
    return inside ? {row, column} : null;
  };
  function zoom(factor, middle) {
    const step = factor < 1 ? Math.floor : Math.ceil;
    const size = Math.min(n, Math.max(Math.min(n, 6), step(view.size * factor)));
    const spot = middle || cursor || {row: view.y + view.size / 2, column: view.x + view.size / 2};
    const fit = (old, target) => Math.min(n - size, Math.max(0, Math.round(target - (target - old) * size / view.size)));
    view = {x: fit(view.x, spot.column + .5), y: fit(view.y, spot.row + .5), size};
    draw();
  }
  const follow = () => {
    const fit = (old, target) => Math.min(n - view.size, Math.max(0, target < old ? target : target + 1 > old + view.size ? target + 1 - view.size : old));
    view = {x: fit(view.x, cursor.column), y: fit(view.y, cursor.row), size: view.size};
  };
  const moves = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]};
  canvas.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const limit = index => Math.min(n - 1, Math.max(0, index));
    cursor = cursor || {row: Math.floor(view.y), column: Math.floor(view.x)};
    if (moves[event.key]) {
      const far = event.shiftKey ? 10 : 1;
      cursor = {row: limit(cursor.row + far * moves[event.key][0]), column: limit(cursor.column + far * moves[event.key][1])};
    } else if (event.key === "Home") cursor = {row: cursor.row, column: 0};
    else if (event.key === "End") cursor = {row: cursor.row, column: n - 1};
    else if (event.key === "PageDown" || event.key === "PageUp") {
      const way = event.key === "PageDown" ? 1 : -1;
      for (let i = cursor.row * n + cursor.column + way; i >= 0 && i < n * n; i += way) {
        const spot = {row: Math.floor(i / n), column: i % n};
        const cell = cellAt(spot);
        if (cell && cell.t !== cell.p && isShown(cell)) { cursor = spot; break; }
      }
    } else if (event.key === "+" || event.key === "=") zoom(1 / 1.6);
    else if (event.key === "-") zoom(1.6);
    else if (event.key === "Enter" || event.key === " ") { event.preventDefault(); gallery(cursor); return; }
    else if (event.key === "Escape") { images.hidden = true; return; }
    else return;
    event.preventDefault();
    hover = null;
    follow(); draw(); show(cursor); say(cursor);
  });
  canvas.addEventListener("focus", () => { if (cursor) return; cursor = {row: Math.floor(view.y), column: Math.floor(view.x)}; draw(); show(cursor); say(cursor); });
  canvas.addEventListener("pointermove", event => {
    const spot = spotOf(event);
    const same = (spot && hover && spot.row === hover.row && spot.column === hover.column) || (!spot && !hover);
    if (same) return;
    hover = spot;
    draw(); show(hover || cursor);
  });
  canvas.addEventListener("pointerleave", () => { if (!hover) return; hover = null; draw(); show(cursor); });
  canvas.addEventListener("click", event => {
    const spot = spotOf(event);
    if (!spot) return;
    cursor = spot;
    draw(); show(cursor); say(cursor);
    const cell = cellAt(spot);
    if (cell && cell.listed) gallery(spot, true);
  });
  canvas.addEventListener("wheel", event => {
    if (!event.ctrlKey && !event.metaKey) return;
    const spot = spotOf(event);
    if (!spot) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : .8, spot);
  }, {passive: false});

  const svg = $("svg", still).namespaceURI;
  function picture(place, words) {
    if (!thumbs.has(place)) return make("div", {class: "no-thumb"}, "no picture");
    const box = document.createElementNS(svg, "svg"), use = document.createElementNS(svg, "use");
    box.setAttribute("viewBox", "0 0 96 96");
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", words);
    use.setAttribute("href", "#t" + thumbs.get(place));
    box.append(use);
    return box;
  }
  function gallery(spot, stay) {
    const d = describe(spot);
    const title = names[d.t] + (d.t === d.p ? ", recognised" : " mistaken for " + names[d.p]);
    const heading = make("h3", {tabindex: "-1"}, make("bdi", {}, title), " ");
    const pageSize = 24;
    const list = make("ul", {class: "gallery"});
    const where = make("span");
    let first = 0;
    const turn = step => {
      first = Math.min(Math.max(0, first + step), Math.max(0, d.cell.listed - 1));
      first -= first % pageSize;
      list.replaceChildren(...Array.from({length: Math.min(pageSize, d.cell.listed - first)}, (_, i) => {
        const index = d.cell.place + first + i;
        const name = data.folders[data.folder[index]] + data.name[index];
        const sure = data.confidence[index];
        const words = sure < 0 ? "" : "confidence " + percent(sure / 1000);
        return make("li", {}, make("figure", {}, picture(index, title + ", " + words),
          make("figcaption", {}, words ? make("span", {}, words) : null, make("small", {class: "path"}, make("bdi", {}, name)))));
      }));
      where.textContent = whole(first + 1) + " to " + whole(Math.min(first + pageSize, d.cell.listed)) + " of " + whole(d.count) + (d.count === 1 ? " image" : " images") +
        (d.cell.listed < d.count ? "; the page knows " + whole(d.cell.listed) : "");
    };
    images.replaceChildren(heading);
    images.hidden = false;
    if (!d.cell || !d.cell.listed) images.append(make("p", {class: "note"}, d.count ? "The page has no room for the names of these images." : "No image is in this cell."));
    else {
      images.append(list, make("div", {class: "pages"},
        d.cell.listed > pageSize ? button("← Earlier", "Earlier images", () => turn(-pageSize)) : null,
        d.cell.listed > pageSize ? button("More →", "More images", () => turn(pageSize)) : null, where));
      turn(0);
    }
    live.textContent = title + ": " + where.textContent;
    if (!stay) { heading.focus({preventScroll: true}); images.scrollIntoView({block: "nearest"}); }
  }
  order.addEventListener("change", () => { reorder(); cursor = hover = null; show(null); draw(); });
  for (const control of [shade, diagonal, across]) control.addEventListener("change", draw);
  dark.addEventListener("change", draw);
  if ("ResizeObserver" in window) new ResizeObserver(draw).observe(canvas); else addEventListener("resize", draw);
  reorder(); show(null); draw();
}
})();
