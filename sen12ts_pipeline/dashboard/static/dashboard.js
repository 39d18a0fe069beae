"use strict";
// Airflow keeps its theme in the class of its page, and under "theme" in the storage of this origin.
(function theme() {
  let dark = null;
  try {
    if (window.parent !== window) dark = window.parent.document.documentElement.classList.contains("dark");
    else if (localStorage.getItem("theme")) dark = localStorage.getItem("theme") === "dark";
  } catch (error) { dark = null; }
  if (dark === null) dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();

document.addEventListener("DOMContentLoaded", () => {
  document.addEventListener("click", leaveTheFrame);
  const form = document.getElementById("verdict");
  if (form) form.addEventListener("submit", judge);
  const place = document.getElementById("map");
  if (place) drawMap(place);
});

const OUTLINED_FROM_PX = 24;

// The frame may not navigate the page around it, but a link that stands in that page may.
function leaveTheFrame(event) {
  const link = event.target.closest("a[data-airflow]");
  if (!link || window.parent === window || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const outer = window.parent.document.createElement("a");
  outer.href = link.href;
  window.parent.document.body.append(outer);
  outer.click();
  outer.remove();
}

async function judge(event) {
  event.preventDefault();
  const form = event.currentTarget, told = form.querySelector("output"), button = form.querySelector("button");
  const body = { withheld: form.dataset.withheld === "true", reason: form.elements.reason.value };
  button.disabled = true;
  const answer = await fetch(form.dataset.url, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  }).catch(() => null);
  if (answer && answer.ok) { location.reload(); return; }
  const said = answer ? await answer.json().catch(() => ({})) : {};
  const detail = typeof said.detail === "string" ? said.detail : "it was not recorded";
  told.textContent = `${detail}. ${said.todo || "Try again."}`;
  button.disabled = false;
}

async function drawMap(place) {
  const root = document.body.dataset.root, legend = document.getElementById("map-legend");
  const answer = await fetch(`${root}/api/map/${place.dataset.aoi}`).catch(() => null);
  const atlas = answer ? await answer.json().catch(() => null) : null;
  if (!answer || !answer.ok || !atlas) {
    legend.textContent = `The map cannot be drawn: ${(atlas && atlas.detail) || "no answer"}. ${(atlas && atlas.todo) || ""}`;
    return;
  }
  const canvas = place.querySelector("canvas"), tip = place.querySelector(".tip"), pen = canvas.getContext("2d");
  const tiles = tilesOf(atlas), extra = { tracks: [], granules: [] };
  const box = boundsOf(tiles, atlas), narrowing = Math.cos((box[1] + box[3]) / 2 / atlas.scale * Math.PI / 180);
  let scale = 1, left = 0, top = 0, pending = false;
  showLegend(legend, atlas);

  function fit() {
    const width = canvas.clientWidth, height = canvas.clientHeight;
    scale = 0.94 * Math.min(width / ((box[2] - box[0]) * narrowing || 1), height / ((box[3] - box[1]) || 1));
    left = width / 2 - (box[0] + box[2]) / 2 * narrowing * scale;
    top = height / 2 + (box[1] + box[3]) / 2 * scale;
  }
  const x = (lon) => left + lon * narrowing * scale, y = (lat) => top - lat * scale;

  function draw() {
    pending = false;
    const began = performance.now(), ratio = window.devicePixelRatio || 1, style = getComputedStyle(document.body);
    canvas.width = canvas.clientWidth * ratio;
    canvas.height = canvas.clientHeight * ratio;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const ink = style.getPropertyValue("--ink"), empty = style.getPropertyValue("--rule");
    const fills = [empty, ...coloursOf(atlas)], wide = Math.abs(tiles[0] ? x(tiles[0].corners[2]) - x(tiles[0].corners[0]) : 0);
    pen.lineWidth = 0.5; pen.strokeStyle = style.getPropertyValue("--paper");
    for (let step = 0; step < fills.length; step += 1) {
      pen.fillStyle = fills[step];
      for (const tile of tiles) if (tile.step === step) drawTile(tile.corners, wide);
    }
    rings(atlas.outline, ink, 1.5, []);
    for (const shape of extra.granules) rings(shape.rings, "#b3401e", 1, [2, 3], shape.name);
    for (const shape of extra.tracks) rings(shape.rings, "#7a3ea8", 1.5, [8, 4], shape.name);
    scaleBar(ink);
    place.dataset.frameMs = (performance.now() - began).toFixed(1);
    place.dataset.tiles = tiles.length;
  }
  // Rectangles are drawn many times faster than outlines, and a small tile's turn against north cannot be seen.
  function drawTile(c, wide) {
    const west = x(c[0]), south = y(c[1]), east = x(c[4]), north = y(c[5]);
    if (east < 0 || west > canvas.clientWidth || south < 0 || north > canvas.clientHeight) return;
    if (wide < OUTLINED_FROM_PX) {
      const gap = wide > 4 ? 0.5 : 0;
      pen.fillRect(west, north, east - west - gap, south - north - gap);
      return;
    }
    pen.beginPath();
    for (let k = 0; k < 8; k += 2) pen[k ? "lineTo" : "moveTo"](x(c[k]), y(c[k + 1]));
    pen.closePath(); pen.fill(); pen.stroke();
  }
  function rings(shapes, colour, width, dash, name) {
    pen.strokeStyle = colour; pen.lineWidth = width; pen.setLineDash(dash);
    for (const ring of shapes) {
      pen.beginPath();
      for (let k = 0; k < ring.length; k += 2) pen[k ? "lineTo" : "moveTo"](x(ring[k]), y(ring[k + 1]));
      pen.closePath(); pen.stroke();
    }
    pen.setLineDash([]);
    if (name && shapes.length) {
      const ring = shapes[0], px = Math.min(Math.max(x(ring[0]), 6), canvas.clientWidth - 90), py = Math.min(Math.max(y(ring[1]), 16), canvas.clientHeight - 26);
      pen.fillStyle = colour; pen.font = "12px system-ui, sans-serif"; pen.fillText(name, px + 4, py - 4);
    }
  }
  function scaleBar(ink) {
    const kmPerPixel = 111.32 / (scale * atlas.scale), power = 10 ** Math.floor(Math.log10(100 * kmPerPixel));
    const km = [5, 2, 1].map((k) => k * power).find((k) => k <= 100 * kmPerPixel) || power, long = km / kmPerPixel;
    const px = 14, py = canvas.clientHeight - 14;
    pen.strokeStyle = pen.fillStyle = ink; pen.lineWidth = 1.5; pen.beginPath();
    pen.moveTo(px, py - 5); pen.lineTo(px, py); pen.lineTo(px + long, py); pen.lineTo(px + long, py - 5); pen.stroke();
    pen.font = "12px system-ui, sans-serif"; pen.fillText(`${km} km`, px + long + 6, py);
  }
  function later() { if (!pending) { pending = true; requestAnimationFrame(draw); } }
  function zoom(by, px, py) {
    if (!by) { fit(); later(); return; }
    left = px - (px - left) * by; top = py - (py - top) * by; scale *= by; later();
  }
  function under(px, py) {
    const lon = (px - left) / narrowing / scale, lat = (top - py) / scale;
    return tiles.find((tile) => inside(tile.corners, lon, lat));
  }
  function hover(px, py) {
    const tile = under(px, py);
    tip.hidden = !tile;
    if (!tile) return;
    tip.textContent = `${tile.name}: ${tile.triplets} triplets`;
    tip.style.left = `${Math.min(px + 14, canvas.clientWidth - 190)}px`; tip.style.top = `${Math.max(4, py - 34)}px`;
  }

  let held = null, moved = false;
  canvas.addEventListener("pointerdown", (e) => { held = [e.offsetX, e.offsetY]; moved = false; canvas.setPointerCapture(e.pointerId); });
  canvas.addEventListener("pointermove", (e) => {
    if (!held) { hover(e.offsetX, e.offsetY); return; }
    if (Math.abs(e.offsetX - held[0]) + Math.abs(e.offsetY - held[1]) > 3) moved = true;
    if (!moved) return;
    left += e.offsetX - held[0]; top += e.offsetY - held[1]; held = [e.offsetX, e.offsetY]; tip.hidden = true; later();
  });
  canvas.addEventListener("pointerup", (e) => {
    const tile = moved ? null : under(e.offsetX, e.offsetY);
    held = null;
    if (tile) location.href = `${root}/why?tile=${tile.name}`;
  });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  canvas.addEventListener("wheel", (e) => { e.preventDefault(); zoom(e.deltaY < 0 ? 1.25 : 0.8, e.offsetX, e.offsetY); }, { passive: false });
  canvas.addEventListener("keydown", (e) => {
    const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[e.key];
    if (step) { left += step[0]; top += step[1]; later(); }
    const by = { "+": 1.6, "=": 1.6, "-": 0.625, 0: 0 }[e.key];
    if (by !== undefined) zoom(by, canvas.clientWidth / 2, canvas.clientHeight / 2);
    if (step || by !== undefined) e.preventDefault();
  });
  for (const button of place.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => zoom(Number(button.dataset.zoom), canvas.clientWidth / 2, canvas.clientHeight / 2));
  }
  const season = document.getElementById("layer-season");
  const boxes = { tracks: document.getElementById("layer-tracks"), granules: document.getElementById("layer-granules") };
  async function load() {
    extra.tracks = []; extra.granules = [];
    if (boxes.tracks.checked || boxes.granules.checked) {
      const got = await fetch(`${root}/api/map/${atlas.aoi}/layers/${place.dataset.year}/${season.value}`).catch(() => null);
      const found = got ? await got.json().catch(() => ({})) : {};
      if (got && got.ok) for (const kind of ["tracks", "granules"]) extra[kind] = boxes[kind].checked ? found[kind] : [];
      else { tip.hidden = false; tip.style.left = "14px"; tip.style.top = "14px"; tip.textContent = found.detail || "no answer"; }
    }
    later();
  }
  for (const input of [season, boxes.tracks, boxes.granules]) input.addEventListener("change", load);
  new ResizeObserver(() => { fit(); later(); }).observe(canvas);
}

function tilesOf(atlas) {
  return atlas.tiles.map((name, i) => {
    const c = atlas.corners.slice(8 * i, 8 * i + 8), n = atlas.triplets[i];
    for (let k = 2; k < 8; k += 1) c[k] += c[k % 2];
    const step = atlas.steps.findIndex(([, last]) => n <= last);
    return { name, triplets: n, corners: c, step: n === 0 ? 0 : 1 + (step < 0 ? atlas.steps.length - 1 : step) };
  });
}
function boundsOf(tiles, atlas) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  const add = (lon, lat) => { box[0] = Math.min(box[0], lon); box[1] = Math.min(box[1], lat); box[2] = Math.max(box[2], lon); box[3] = Math.max(box[3], lat); };
  for (const tile of tiles) for (let k = 0; k < 8; k += 2) add(tile.corners[k], tile.corners[k + 1]);
  for (const ring of atlas.outline) for (let k = 0; k < ring.length; k += 2) add(ring[k], ring[k + 1]);
  return Number.isFinite(box[0]) ? box : [-1, -1, 1, 1];
}
function inside(c, lon, lat) {
  for (let k = 0; k < 8; k += 2) {
    const ax = c[k], ay = c[k + 1], bx = c[(k + 2) % 8], by = c[(k + 3) % 8];
    if ((bx - ax) * (lat - ay) - (by - ay) * (lon - ax) < 0) return false;
  }
  return true;
}
// The darkest step would vanish on a dark page.
function coloursOf(atlas) {
  const dark = document.documentElement.dataset.theme === "dark";
  return atlas.colours.map((colour) => (dark && colour === "#253494" ? "#5a6be0" : colour));
}
function showLegend(legend, atlas) {
  legend.textContent = "Triplets of a tile:";
  const names = ["none", ...atlas.steps.map(([first, last]) => `${first} to ${last}`)];
  ["var(--rule)", ...coloursOf(atlas)].forEach((colour, k) => {
    const chip = document.createElement("span");
    chip.className = "chip"; chip.style.background = colour;
    legend.append(chip, names[k]);
  });
}
