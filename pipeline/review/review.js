// SPDX-License-Identifier: Apache-2.0
// The review page: a virtual list, a picture with layers, and verdicts that count only once the server has them.
'use strict';

const $ = (id) => document.getElementById(id);
const ROW_PX = 60, PAGE_ROWS = 100, MOST_PAGES = 60, MOST_SPACE_PX = 12e6, SETTLE_MS = 60, TIMEOUT_MS = 20000;
const MARKS = { accept: '✓ accepted', reject: '✕ rejected', skip: '» skipped' };
const LABEL_COLOR = '#ffd84d', REPAIR_COLOR = '#4de3ff', PREDICTION_COLOR = '#ff7af0', OTHER_COLORS = ['#9cff6b', '#ffa14d', '#b9a2ff', '#ff6b6b'];

const state = {
  job: null, layer: null, who: '', edition: String(Date.now()), query: null,
  total: 0, pages: new Map(), asked: new Set(),       // the list, page by page
  index: 0, location: null, place: null, isReady: false, isSaving: false,
  view: 0, source: null, showsEdges: false, hidesLayers: false,
  hidden: new Set(), met: new Set(),                    // layers switched off, and those seen before, by name
  overlays: [], image: null, zoom: 1, pan: { x: 0, y: 0 },
};
const places = new Map();                               // answers that were asked for ahead

// ---- asking the server

class Refused extends Error {
  constructor(status, text) { super(text); this.status = status; }
}

async function ask(path, parameters, options = {}) {
  const query = new URLSearchParams(parameters);
  let answer;
  try {
    answer = await fetch(`api/${path}?${query}`, { ...options, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (problem) {
    throw new Refused(0, 'the server does not answer. Is “tilewright review” still running?');
  }
  if (answer.ok) return answer;
  let text = `the server answers with status ${answer.status}`;
  try { text = (await answer.json()).error || text; } catch (problem) { /* no JSON: the status says it */ }
  throw new Refused(answer.status, text);
}
const askJson = async (path, parameters) => (await ask(path, parameters)).json();
const post = async (path, body) =>
  (await ask(path, {}, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })).json();

function complain(text) { $('alert').textContent = text; $('alert').hidden = false; }
function calm() { $('alert').hidden = true; }
function say(text) { $('say').textContent = text; }

// ---- the list

function currentQuery() {
  const name = $('sort').value, metric = state.layer.metrics.find((m) => m.name === name);
  const worstIsGreat = metric ? metric.smaller_is_better : false;
  const worstFirst = $('direction').value === 'worst';
  return { layer: state.layer.name, sort: name, direction: worstFirst === worstIsGreat ? 'descending' : 'ascending',
    verdict: $('verdict').value, subset: $('subset').value, where: $('where').value.trim(), who: state.who };
}

async function loadList(find) {
  state.edition = String(Date.now());
  const query = currentQuery();
  let answer;
  try {
    answer = await askJson('list', { ...query, edition: state.edition, from: 0, count: PAGE_ROWS, find: find || '' });
  } catch (problem) {
    const isRule = problem.status === 400;
    $('where-error').textContent = isRule ? problem.message : '';
    $('where-error').hidden = !isRule;
    $('where').setAttribute('aria-invalid', String(isRule));
    if (!isRule) complain(`The list cannot be loaded: ${problem.message}`);
    return;
  }
  calm();
  $('where-error').hidden = true;
  $('where').removeAttribute('aria-invalid');
  state.query = query;
  state.total = answer.total;
  state.pages = new Map([[0, answer.rows]]);
  state.asked.clear();
  showCounts(answer.counts);
  $('total').textContent = `${grouped(answer.total)} ${answer.total === 1 ? 'location' : 'locations'}`;
  $('rows-space').style.height = `${Math.min(state.total * ROW_PX, MOST_SPACE_PX)}px`;
  $('rows').scrollTop = 0;
  if (state.total === 0) return showNothing();
  await go(answer.found === null || answer.found === undefined ? 0 : answer.found);
}

const rowAt = (n) => { const page = state.pages.get(Math.floor(n / PAGE_ROWS)); return page && page[n % PAGE_ROWS]; };

async function loadPage(page) {
  if (state.pages.has(page) || state.asked.has(page) || page * PAGE_ROWS >= state.total) return;
  const edition = state.edition;
  state.asked.add(page);
  try {
    const answer = await askJson('list', { ...state.query, edition, from: page * PAGE_ROWS, count: PAGE_ROWS });
    if (edition !== state.edition) return;
    state.pages.set(page, answer.rows);
    const near = Math.floor(state.index / PAGE_ROWS);
    for (const key of state.pages.keys()) if (state.pages.size > MOST_PAGES && key !== page && Math.abs(key - near) > 1) state.pages.delete(key);
  } catch (problem) {
    complain(`A part of the list cannot be loaded: ${problem.message}`);
  } finally {
    state.asked.delete(page);
  }
}

// Very long lists have more pixels than a browser can scroll: then a position stands for a share of the list.
function scale() {
  const box = $('rows'), height = Math.min(state.total * ROW_PX, MOST_SPACE_PX), full = state.total * ROW_PX;
  const can = Math.max(1, height - box.clientHeight), wants = Math.max(1, full - box.clientHeight);
  return full > MOST_SPACE_PX ? wants / can : 1;
}

const pool = [];
let settle = 0, isDrawAsked = false;

function drawRows() {
  isDrawAsked = false;
  const box = $('rows'), factor = scale(), top = box.scrollTop * factor;
  const first = Math.max(0, Math.floor(top / ROW_PX) - 2), last = Math.min(state.total, Math.ceil((top + box.clientHeight) / ROW_PX) + 2);
  while (pool.length < last - first) pool.push(newRow());
  pool.forEach((row, n) => {
    const at = first + n;
    row.element.hidden = at >= last;
    if (at < last) fillRow(row, at, at * ROW_PX - top + box.scrollTop);
  });
  box.setAttribute('aria-activedescendant', `row-${state.index}`);
  clearTimeout(settle);
  settle = setTimeout(() => settleRows(first, last), SETTLE_MS);
}
function askDrawRows() {
  if (isDrawAsked) return;
  isDrawAsked = true;
  requestAnimationFrame(drawRows);
}

// Once scrolling rests: pages and pictures of what is seen, of nothing that only flew by.
async function settleRows(first, last) {
  const pages = [];
  for (let page = Math.floor(first / PAGE_ROWS); page <= Math.floor(Math.max(first, last - 1) / PAGE_ROWS); ++page) if (!state.pages.has(page)) pages.push(page);
  if (pages.length > 0) {
    await Promise.all(pages.map(loadPage));
    if (pages.some((page) => state.pages.has(page))) askDrawRows();
    return;
  }
  for (const row of pool) {
    if (row.element.hidden || !row.location) continue;
    const address = `api/thumbnail?${new URLSearchParams({ layer: state.layer.name, location: row.location })}`;
    if (row.shown !== address) { row.shown = address; row.image.src = address; row.image.style.visibility = 'visible'; }
  }
}

function newRow() {
  const element = document.createElement('div');
  element.className = 'row';
  element.setAttribute('role', 'option');
  element.innerHTML = '<img alt=""><div class="text"><div class="id"></div><div class="value"></div></div><span class="badge"></span>';
  const row = { element, image: element.querySelector('img'), id: element.querySelector('.id'), value: element.querySelector('.value'), badge: element.querySelector('.badge'), at: 0, location: null, shown: '' };
  element.addEventListener('click', () => go(row.at));
  $('rows-space').append(element);
  return row;
}

function fillRow(row, at, top) {
  const data = rowAt(at), sort = state.query.sort;
  row.at = at;
  row.element.id = `row-${at}`;
  row.element.style.transform = `translateY(${top}px)`;
  row.element.setAttribute('aria-posinset', at + 1);
  row.element.setAttribute('aria-setsize', state.total);
  row.element.setAttribute('aria-selected', String(at === state.index));
  const location = data ? data.location : null;
  if (row.location !== location) { row.location = location; row.shown = ''; row.image.style.visibility = 'hidden'; }
  row.id.textContent = data ? `\u200e${data.location}` : '…';
  row.id.title = data ? data.location : '';
  row.value.textContent = data ? (sort === 'location' ? `${at + 1}` : `${sort} ${data.value === null ? '–' : short(data.value)}`) : '';
  row.badge.className = `badge ${data ? data.verdict : ''}`;
  row.badge.textContent = data ? (MARKS[data.verdict] || '') : '';
}

function scrollTo(n) {
  const box = $('rows'), factor = scale(), top = box.scrollTop * factor;
  if (n * ROW_PX < top) box.scrollTop = n * ROW_PX / factor;
  else if ((n + 1) * ROW_PX > top + box.clientHeight) box.scrollTop = ((n + 1.5) * ROW_PX - box.clientHeight) / factor;
}

// ---- one location

const placeKey = (location) => `${state.layer.name}|${location}`;
function placeOf(location) {
  const key = placeKey(location);
  if (!places.has(key)) {
    if (places.size > 20) places.delete(places.keys().next().value);
    const asked = askJson('place', { layer: state.layer.name, location });
    asked.catch(() => places.delete(key));
    places.set(key, asked);
  }
  return places.get(key);
}

async function go(n) {
  if (state.total === 0) return;
  const at = Math.max(0, Math.min(state.total - 1, n));
  if (!rowAt(at)) await loadPage(Math.floor(at / PAGE_ROWS));
  const row = rowAt(at);
  if (!row) return;
  state.index = at;
  scrollTo(at);
  askDrawRows();
  await show(row.location);
  const next = rowAt(at + 1);
  if (next && state.isReady) prefetch(next.location);
}

let turn = 0;
async function show(location) {
  const mine = ++turn;
  state.isReady = false;
  document.body.dataset.ready = '';
  enableVerdicts();
  let place;
  try {
    place = await placeOf(location);
  } catch (problem) {
    if (mine === turn) complain(`${location} cannot be shown: ${problem.message}`);
    return;
  }
  if (mine !== turn) return;
  if (location !== state.location) $('note').value = '';
  state.location = location;
  state.place = place;
  state.zoom = 1;
  state.pan = { x: 0, y: 0 };
  state.view = chosenView(place);
  showFacts();
  showDates();
  await Promise.all([loadImage(mine), loadOverlays(mine)]);
  if (mine !== turn) return;
  state.isReady = true;
  document.body.dataset.ready = location;
  enableVerdicts();
  draw();
}

// The sensor that was looked at last, else what the server proposes.
function chosenView(place) {
  const same = place.views.findIndex((view) => view.source === state.source);
  return same >= 0 && state.source !== place.views[place.first].source ? same : place.first;
}

const pictureAddress = (place, view, edges) =>
  `api/picture?${new URLSearchParams({ location: place.location, tile: view.tile, show: edges ? 'edges' : 'image', hash: view.hash })}`;

function loadedImage(address) {
  return new Promise((done) => {
    const image = new Image();
    image.onload = () => done(image);
    image.onerror = () => done(null);
    image.src = address;
  });
}

async function loadImage(mine) {
  const view = state.place.views[state.view];
  const image = view ? await loadedImage(pictureAddress(state.place, view, state.showsEdges)) : null;
  if (mine !== turn) return;
  state.image = image;
  if (view && !image) complain(`The picture of ${view.tile} cannot be read; “tilewright verify” says more.`);
}

async function loadOverlays(mine) {
  const wanted = state.place.overlays, location = state.place.location;
  const found = await Promise.all(wanted.map(async (overlay, n) => {
    try {
      const parameters = overlay.kind === 'mask' ? { location, layer: overlay.layer, valid_from: overlay.valid_from } : { location, run: overlay.run, tile: overlay.tile };
      const answer = await ask(overlay.kind, parameters);
      const [width, height] = answer.headers.get('X-Size').split('x').map(Number);
      return { ...styled(overlay, n), width, height, classes: new Uint8Array(await answer.arrayBuffer()) };
    } catch (problem) {
      if (problem.status !== 404) complain(`A layer cannot be read: ${problem.message}`);
      return null;
    }
  }));
  if (mine !== turn) return;
  state.overlays = found.filter(Boolean);
  const hasFolds = state.overlays.some((overlay) => overlay.is_predicted);
  for (const overlay of state.overlays) {
    overlay.paths = outlines(overlay);
    if (!state.met.has(overlay.name) && !isShownAtFirst(overlay, hasFolds)) state.hidden.add(overlay.name);
    state.met.add(overlay.name);
  }
  showLayers();
}

// The label, its repair and what a model thinks; other layers wait for their key.
const isShownAtFirst = (overlay, hasFolds) => overlay.is_reviewed || overlay.is_predicted || (overlay.kind === 'prediction' ? !hasFolds : overlay.layer === `${state.layer.name}_repaired`);

function styled(plain, n) {
  const overlay = { ...plain, classes_count: plain.classes.length, class_colors: new Map(plain.classes.map((one) => [one.id, one.color])) };
  if (overlay.kind === 'prediction') return { ...overlay, name: `prediction of ${overlay.run}`, color: OTHER_COLORS[n % OTHER_COLORS.length], dash: [2, 5] };
  const dated = overlay.valid_from ? `${overlay.layer} ${overlay.valid_from.slice(0, 10)}` : overlay.layer;
  if (overlay.is_predicted) return { ...overlay, name: 'prediction, out of fold', color: PREDICTION_COLOR, dash: [2, 3] };
  if (overlay.is_reviewed) return { ...overlay, name: dated, color: LABEL_COLOR, dash: [] };
  if (overlay.layer.endsWith('_repaired')) return { ...overlay, name: dated, color: REPAIR_COLOR, dash: [6, 4] };
  return { ...overlay, name: dated, color: OTHER_COLORS[n % OTHER_COLORS.length], dash: [10, 3] };
}

// Edges between pixels of different classes, one path a class; with several classes each has its own colour.
function outlines(overlay) {
  const { width, height, classes } = overlay, paths = new Map(), several = overlay.classes_count > 1;
  const pathOf = (value) => { if (!paths.has(value)) paths.set(value, new Path2D()); return paths.get(value); };
  const side = (value, other, x1, y1, x2, y2) => {
    if (value === 0 || value === 255 || value === other) return;
    const path = pathOf(several ? value : 1);
    path.moveTo(x1, y1);
    path.lineTo(x2, y2);
  };
  let unknown = null;
  for (let y = 0; y < height; ++y)
    for (let x = 0; x < width; ++x) {
      const value = classes[y * width + x];
      if (value === 255 && overlay.kind === 'mask') (unknown = unknown || new Path2D()).rect(x, y, 1, 1);
      if (x + 1 < width) { const right = classes[y * width + x + 1]; if (right !== value) { side(value, right, x + 1, y, x + 1, y + 1); side(right, value, x + 1, y, x + 1, y + 1); } }
      if (y + 1 < height) { const below = classes[(y + 1) * width + x]; if (below !== value) { side(value, below, x, y + 1, x + 1, y + 1); side(below, value, x, y + 1, x + 1, y + 1); } }
    }
  return { paths, unknown };
}

function prefetch(location) {
  placeOf(location).then((place) => {
    const view = place.views[chosenView(place)];
    if (view) loadedImage(pictureAddress(place, view, state.showsEdges));
  }, () => {});
}

// ---- the picture

function draw() {
  const canvas = $('stage'), ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) { canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio); }
  const context = canvas.getContext('2d');
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!state.place) return;
  const edge = Math.max(10, Math.min(width, height) - 16) * state.zoom;
  const left = (width - edge) / 2 + state.pan.x, top = (height - edge) / 2 + state.pan.y;
  const image = state.image, shape = image || state.overlays[0];
  const tall = shape ? edge * shape.height / shape.width : edge;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.imageSmoothingEnabled = false;
  if (image) context.drawImage(image, left, top, edge, tall);
  if (!state.hidesLayers) for (const overlay of state.overlays) if (!state.hidden.has(overlay.name)) drawOverlay(context, overlay, left, top, edge, tall, ratio);
  drawScale(context, edge, height, ratio);
}

// A bar of 1, 2 or 5 times a power of ten metres, about a quarter of the picture.
function drawScale(context, edge, height, ratio) {
  const metre = edge / (state.place.size_px * state.place.res_m), wanted = 120 / metre, power = 10 ** Math.floor(Math.log10(wanted));
  const length = [5, 2, 1].map((n) => n * power).find((n) => n <= wanted) || power, wide = length * metre, text = length >= 1000 ? `${length / 1000} km` : `${Number(length.toPrecision(1))} m`;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.font = '12px system-ui, sans-serif';
  context.fillStyle = '#000b';
  context.fillRect(10, height - 34, Math.max(wide, context.measureText(text).width) + 16, 26);
  context.fillStyle = '#fff';
  context.fillText(text, 18, height - 20);
  context.fillRect(18, height - 15, wide, 2);
}

function drawOverlay(context, overlay, left, top, wide, tall, ratio) {
  const x = wide / overlay.width, y = tall / overlay.height, color = (value) => overlay.classes_count > 1 && overlay.class_colors.get(value) || overlay.color;
  context.setTransform(ratio * x, 0, 0, ratio * y, ratio * left, ratio * top);
  if (overlay.paths.unknown) { context.fillStyle = '#9aa7b899'; context.fill(overlay.paths.unknown); }
  context.lineCap = 'square';
  for (const [value, path] of overlay.paths.paths) {
    context.setLineDash([]);
    context.lineWidth = 4 / x;
    context.strokeStyle = '#000a';
    context.stroke(path);
    context.lineWidth = 2 / x;
    context.setLineDash(overlay.dash.map((length) => length / x));
    context.strokeStyle = color(value);
    context.stroke(path);
  }
}

function zoomBy(factor, at) {
  const canvas = $('stage'), before = state.zoom;
  state.zoom = Math.max(0.5, Math.min(32, state.zoom * factor));
  const by = state.zoom / before, centre = { x: canvas.clientWidth / 2, y: canvas.clientHeight / 2 }, point = at || centre;
  state.pan.x = (point.x - centre.x) * (1 - by) + state.pan.x * by;
  state.pan.y = (point.y - centre.y) * (1 - by) + state.pan.y * by;
  draw();
}
function fit() { state.zoom = 1; state.pan = { x: 0, y: 0 }; draw(); }

async function setView(n) {
  const views = state.place ? state.place.views : [];
  if (views.length === 0) return;
  state.view = (n + views.length) % views.length;
  state.source = views[state.view].source;
  showDates();
  await loadImage(turn);
  say(viewName(views[state.view]));
  draw();
}
async function showEdges(isOn) {
  state.showsEdges = isOn;
  $('edges').checked = isOn;
  say(isOn ? 'edges' : 'image');
  if (state.place) await loadImage(turn);
  draw();
}

const viewName = (view) => `${view.source} ${view.acquired ? view.acquired.slice(0, 10) : 'without date'}`;

function setLayer(name, isOn) {
  if (isOn) state.hidden.delete(name); else state.hidden.add(name);
  showLayers();
  say(`${name} ${isOn ? 'on' : 'off'}`);
  draw();
}

// ---- what stands beside the picture

const grouped = (n) => n.toLocaleString('en').replaceAll(',', '\u202f');
function short(value) {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(1) : value.toFixed(3);
}

function showCounts(counts) {
  const decided = counts.accept + counts.reject + counts.skip;
  $('progress').max = Math.max(1, counts.locations);
  $('progress').value = decided;
  $('progress-text').textContent = `${grouped(decided)} of ${grouped(counts.locations)} seen: ${grouped(counts.accept)} accepted, ${grouped(counts.reject)} rejected, ${grouped(counts.skip)} skipped`;
}

function showNothing() {
  state.place = null; state.location = null; state.isReady = false; state.image = null; state.overlays = [];
  document.body.dataset.ready = 'none';
  $('location').textContent = 'No location';
  $('whereabouts').textContent = $('verdict').value === 'open' ? 'Every location of this list has a verdict. Choose another list on the left.' : 'The list is empty. Choose another one on the left.';
  for (const list of ['history', 'dates', 'layers']) $(list).replaceChildren();
  $('scores').tBodies[0].replaceChildren();
  enableVerdicts();
  askDrawRows();
  draw();
}

function cell(text, className) { const td = document.createElement('td'); td.textContent = text; if (className) td.className = className; return td; }

function showFacts() {
  const place = state.place;
  $('location').textContent = place.location;
  const part = place.split ? `part ${place.split}` : 'in no part';
  $('whereabouts').textContent = `EPSG:${place.epsg}, corner ${Math.round(place.ulx)} E ${Math.round(place.uly)} N, ${place.size_px} px of ${short(place.res_m)} m; ${part}${place.subsets.length ? `; in ${place.subsets.join(', ')}` : ''}`;
  $('scores').tBodies[0].replaceChildren(...place.scores.map((score) => {
    const metric = state.layer.metrics.find((m) => m.name === score.metric) || {}, row = document.createElement('tr');
    row.append(cell(score.metric), cell(short(score.value), 'n'), cell(metric.smaller_is_better ? 'less' : 'more'));
    row.title = metric.meaning || '';
    if (state.query && state.query.sort === score.metric) row.className = 'sorted';
    return row;
  }));
  $('proposals').hidden = place.proposals.length === 0;
  $('proposals').querySelector('ul').replaceChildren(...place.proposals.map((proposal) => { const li = document.createElement('li'); li.textContent = `${proposal.rule}: ${proposal.reason}`; return li; }));
  $('history').replaceChildren(...(place.verdicts.length ? place.verdicts.map(historyItem) : [noneItem()]));
  $('stage').setAttribute('aria-label', `Location ${place.location}, ${place.views.length} views`);
}
function noneItem() { const li = document.createElement('li'); li.className = 'none'; li.textContent = 'none yet'; return li; }
function historyItem(verdict) {
  const li = document.createElement('li'), badge = document.createElement('span'), time = document.createElement('time');
  badge.className = `badge ${verdict.verdict}`;
  badge.textContent = MARKS[verdict.verdict] || verdict.verdict;
  time.dateTime = verdict.at;
  time.textContent = ` ${verdict.at.slice(0, 16).replace('T', ' ')} UTC`;
  li.append(badge, ` ${verdict.who || 'without name'}`, time);
  if (verdict.note) li.append(document.createElement('br'), `“${verdict.note}”`);
  return li;
}

function showDates() {
  const place = state.place;
  $('dates').replaceChildren(...place.views.map((view, n) => {
    const button = document.createElement('button'), image = document.createElement('img');
    button.type = 'button';
    button.setAttribute('aria-pressed', String(n === state.view));
    button.title = `${view.tile}${view.cloud_frac ? `, ${Math.round(100 * view.cloud_frac)} % cloud` : ''}`;
    image.alt = '';
    image.src = pictureAddress(place, view, false);
    for (const text of [view.source, view.acquired ? view.acquired.slice(0, 10) : 'no date']) { const span = document.createElement('span'); span.textContent = text; button.append(span); }
    button.prepend(image);
    button.addEventListener('click', () => setView(n));
    return button;
  }));
  const pressed = $('dates').children[state.view];
  if (pressed) pressed.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

function showLayers() {
  $('unknown').hidden = !state.overlays.some((overlay) => overlay.paths.unknown && !state.hidden.has(overlay.name));
  $('layers').replaceChildren(...state.overlays.map((overlay, n) => {
    const label = document.createElement('label'), box = document.createElement('input');
    box.type = 'checkbox';
    box.checked = !state.hidden.has(overlay.name);
    box.setAttribute('aria-keyshortcuts', String(n + 1));
    box.addEventListener('change', () => setLayer(overlay.name, box.checked));
    label.append(box, swatch(overlay), overlay.name);
    if (n < 9) { const key = document.createElement('kbd'); key.textContent = String(n + 1); label.append(key); }
    return label;
  }));
}
function swatch(overlay) {
  const space = 'http://www.w3.org/2000/svg', svg = document.createElementNS(space, 'svg'), line = document.createElementNS(space, 'line');
  svg.setAttribute('aria-hidden', 'true');
  for (const [name, value] of Object.entries({ x1: 0, x2: 22, y1: 5, y2: 5, stroke: overlay.color, 'stroke-width': 3, 'stroke-dasharray': overlay.dash.join(' ') || 'none' })) line.setAttribute(name, value);
  svg.append(line);
  return svg;
}

// ---- verdicts

function enableVerdicts() {
  for (const id of ['accept', 'reject', 'skip']) $(id).disabled = !state.isReady || state.isSaving;
  $('undo').disabled = state.isSaving;
}

function markRow(location, verdict) {
  for (const rows of state.pages.values()) for (const row of rows) if (row.location === location) { row.verdict = verdict; row.who = state.who; }
}

// Nothing moves on before the server has said that the verdict lies on the disk.
async function decide(verdict) {
  if (!state.isReady || state.isSaving) return;
  if (!state.who) return askName();
  const location = state.location, body = { layer: state.layer.name, location, verdict, who: state.who, note: $('note').value.trim() };
  state.isSaving = true;
  enableVerdicts();
  $('saved').textContent = 'saving …';
  try {
    const answer = await post('verdict', body);
    calm();
    places.delete(placeKey(location));
    markRow(location, answer.verdict);
    showCounts(answer.counts);
    $('note').value = '';
    $('saved').textContent = `${MARKS[verdict]}, saved`;
    document.body.dataset.saved = String(Number(document.body.dataset.saved || 0) + 1);
    say(`${MARKS[verdict]}. ${$('progress-text').textContent}`);
  } catch (problem) {
    $('saved').textContent = 'not saved';
    complain(`Not saved: ${problem.message} The verdict “${verdict}” on ${location} is not kept; give it again when this is mended.`);
    return;
  } finally {
    state.isSaving = false;
    enableVerdicts();
  }
  if (state.index + 1 < state.total) return go(state.index + 1);
  $('saved').textContent = `${MARKS[verdict]}, saved; the end of this list`;
  askDrawRows();
  await show(location);
}

async function undo() {
  if (state.isSaving) return;
  if (!state.who) return askName();
  state.isSaving = true;
  enableVerdicts();
  let location = null;
  try {
    const latest = await askJson('latest', { layer: state.layer.name, who: state.who });
    if (latest.id === null) { say('There is nothing to take back.'); $('saved').textContent = 'nothing to take back'; return; }
    const answer = await post('undo', { id: latest.id, who: state.who });
    calm();
    location = latest.location;
    places.delete(placeKey(location));
    if (answer.counts) showCounts(answer.counts);
    markRow(location, answer.verdict || '');
    $('saved').textContent = 'taken back';
    document.body.dataset.undone = String(Number(document.body.dataset.undone || 0) + 1);
    say(`Taken back. ${$('progress-text').textContent}`);
  } catch (problem) {
    complain(`Not taken back: ${problem.message}`);
    return;
  } finally {
    state.isSaving = false;
    enableVerdicts();
  }
  await back(location);
}

// To a location of the list, or beside the list if it is not in it.
async function back(location) {
  const answer = await askJson('list', { ...state.query, edition: state.edition, from: 0, count: 0, find: location }).catch(() => ({ found: null }));
  if (answer.found !== null && answer.found !== undefined) return go(answer.found);
  askDrawRows();
  await show(location);
}

// ---- who reviews

function remember(who) {
  state.who = who;
  $('who').textContent = who ? `Reviewer: ${who}` : 'Reviewer: ?';
  try { localStorage.setItem('tilewright.who', who); } catch (problem) { /* private window: asked again next time */ }
}
function askName() {
  $('who-name').value = state.who || state.job.people[0] || '';
  $('who-dialog').showModal();
  $('who-name').select();
}

// ---- keys

const KEYS = {
  a: () => decide('accept'), r: () => decide('reject'), s: () => decide('skip'), u: undo,
  arrowdown: () => go(state.index + 1), j: () => go(state.index + 1), arrowup: () => go(state.index - 1), k: () => go(state.index - 1),
  arrowright: () => setView(state.view + 1), arrowleft: () => setView(state.view - 1),
  '+': () => zoomBy(1.5), '=': () => zoomBy(1.5), '-': () => zoomBy(1 / 1.5), 0: fit,
  e: () => showEdges(!state.showsEdges),
  n: () => $('note').focus(), '/': () => $('where').focus(), '?': () => $('help-dialog').showModal(),
  ' ': () => { state.hidesLayers = true; draw(); },
};
for (let n = 1; n <= 9; ++n) KEYS[n] = () => { const overlay = state.overlays[n - 1]; if (overlay) setLayer(overlay.name, state.hidden.has(overlay.name)); };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
  const target = event.target, isField = target.matches('input:not([type=checkbox]), select, textarea');
  if (event.key === 'Escape' && isField) { target.blur(); $('stage').focus(); return; }
  if (isField) return;
  if (event.key === ' ' && target.matches('button, input')) return;
  const act = KEYS[event.key.toLowerCase()];
  if (!act || (event.repeat && !event.key.startsWith('Arrow'))) return;
  event.preventDefault();
  act();
}

// ---- start

function showLayer(name) {
  state.layer = state.job.layers.find((layer) => layer.name === name) || state.job.layers[0];
  const choice = (value, text) => new Option(text || value, value);
  const metrics = state.layer.metrics.map((metric) => metric.name);
  $('sort').replaceChildren(...metrics.map((metric) => choice(metric)), choice('positive_frac', 'labelled share'), choice('object_count', 'objects'), choice('view_count', 'views'), choice('location', 'place'));
  $('sort').value = metrics.includes('combined') ? 'combined' : metrics[0] || 'location';
  showCounts(state.layer.counts);
}

function listen() {
  document.addEventListener('keydown', onKey);
  document.addEventListener('keyup', (event) => { if (event.key === ' ' && state.hidesLayers) { state.hidesLayers = false; draw(); } });
  $('rows').addEventListener('scroll', askDrawRows, { passive: true });
  new ResizeObserver(() => { draw(); askDrawRows(); }).observe($('stage'));
  $('filters').addEventListener('submit', (event) => { event.preventDefault(); loadList(); });
  for (const id of ['sort', 'direction', 'verdict', 'subset']) $(id).addEventListener('change', () => loadList());
  $('layer').addEventListener('change', () => { showLayer($('layer').value); state.location = null; loadList(); });
  for (const verdict of ['accept', 'reject', 'skip']) $(verdict).addEventListener('click', () => decide(verdict));
  $('undo').addEventListener('click', undo);
  $('zoom-in').addEventListener('click', () => zoomBy(1.5));
  $('zoom-out').addEventListener('click', () => zoomBy(1 / 1.5));
  $('zoom-fit').addEventListener('click', fit);
  $('edges').addEventListener('change', () => showEdges($('edges').checked));
  $('who').addEventListener('click', askName);
  $('who-form').addEventListener('submit', (event) => { event.preventDefault(); const name = $('who-name').value.trim(); if (name) { remember(name); $('who-dialog').close(); $('stage').focus(); } });
  $('help').addEventListener('click', () => $('help-dialog').showModal());
  $('help-close').addEventListener('click', () => $('help-dialog').close());
  const stage = $('stage');
  stage.addEventListener('wheel', (event) => { event.preventDefault(); const box = stage.getBoundingClientRect(); zoomBy(Math.exp(-event.deltaY / 400), { x: event.clientX - box.left, y: event.clientY - box.top }); }, { passive: false });
  stage.addEventListener('pointerdown', (event) => stage.setPointerCapture(event.pointerId));
  stage.addEventListener('pointermove', (event) => { if (event.buttons & 1) { state.pan.x += event.movementX; state.pan.y += event.movementY; draw(); } });
}

async function start() {
  listen();
  try {
    state.job = await askJson('state', {});
  } catch (problem) {
    return complain(`The review cannot start: ${problem.message}`);
  }
  document.title = `Review ${state.job.title}`;
  $('title').textContent = state.job.title;
  $('layer').replaceChildren(...state.job.layers.map((layer) => new Option(layer.name, layer.name)));
  $('subset').replaceChildren(new Option('all', ''), ...state.job.subsets.map((name) => new Option(name, name)));
  $('people').replaceChildren(...state.job.people.map((name) => new Option(name, name)));
  let who = '';
  try { who = localStorage.getItem('tilewright.who') || ''; } catch (problem) { /* private window */ }
  remember(who);
  showLayer($('layer').value);
  await loadList();
  if (!state.who) askName();
  document.body.dataset.started = 'yes';
}
start();
