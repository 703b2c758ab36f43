"use strict";
// One page of images at a time. What is confirmed or named is posted at once, so a closed tab loses nothing.
const $ = (id) => document.getElementById(id);
const state = { page: null, waiting: new Map(), odd: new Set(), named: {}, box: 0, undo: [], asking: false };

async function send(path, body) {
  const answer = await fetch(path, body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error || `the program answered ${answer.status}`);
  return said;
}

function tell(problem) {
  $("problem").hidden = !problem;
  $("problem").textContent = problem ? problem.message || problem : "";
}

async function load(next) {
  state.page = await send(next ? "page?next" : "page");
  state.waiting = new Map(state.page.items.map((item) => [item.number, item]));
  state.odd.clear();
  state.asking = false;
  draw();
}

async function post(answers) {
  const said = await send("answers", { export: state.page.export, answers });
  state.page.decided = said.decided;
}

async function decide(numbers, verdict, species) {
  try {
    await post(numbers.map((number) => ({ number, verdict, species: species || {} })));
  } catch (problem) {
    tell(problem);
    return;
  }
  tell(null);
  state.undo.push({ exported: state.page.export, items: numbers.map((number) => state.waiting.get(number)) });
  for (const number of numbers) { state.waiting.delete(number); state.odd.delete(number); }
  if (!state.waiting.size) await load(); else draw();
}

async function undo() {
  const last = state.undo.pop();
  if (!last) return;
  if (last.exported !== state.page.export) { tell("the page before is closed; its answers can be changed in labelme"); return; }
  try {
    await post(last.items.map((item) => ({ number: item.number, verdict: "withdraw" })));
  } catch (problem) { tell(problem); return; }
  for (const item of last.items) { state.waiting.set(item.number, item); state.odd.add(item.number); }
  draw();
}

function groups() {
  const found = new Map();
  for (const item of state.waiting.values()) {
    if (!found.has(item.group)) found.set(item.group, []);
    found.get(item.group).push(item);
  }
  return [...found].sort((one, other) => other[1].length - one[1].length);
}

function draw() {
  const left = state.page.left ? `, ${state.page.left} more wait` : "";
  $("progress").textContent = `${state.page.decided} answered, ${state.waiting.size} on this page${left}`;
  $("odd-count").textContent = state.odd.size;
  const over = !state.waiting.size;
  if (!over && state.odd.size === state.waiting.size) state.asking = true;
  if (!state.odd.size) state.asking = false;
  $("done").hidden = !over;
  $("rows").hidden = over || state.asking;
  $("question").hidden = over || !state.asking;
  if (over) return;
  if (state.asking) drawQuestion(); else drawRows();
}

function drawRows() {
  const focused = document.activeElement?.dataset?.number;
  $("rows").replaceChildren(...groups().map(([species, items]) => row(species, items)));
  const tile = document.querySelector(`.tile[data-number="${focused}"]`) || document.querySelector(".tile");
  tile?.focus({ preventScroll: true });
}

function row(species, items) {
  const section = document.createElement("section");
  section.className = "row";
  section.dataset.species = species;
  const title = document.createElement("h2");
  const name = species === state.page.no_fish ? "No fish" : species;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "main confirm";
  button.append("Confirm the rest of the row ", key("Enter"));
  button.addEventListener("click", () => confirmRow(species));
  title.append(`${name}: ${items.length}`, button);
  const tiles = document.createElement("div");
  tiles.className = "tiles";
  tiles.append(...items.map(tileOf));
  section.append(title, tiles);
  return section;
}

function key(name) {
  const element = document.createElement("kbd");
  element.textContent = name;
  return element;
}

function tileOf(item) {
  const tile = document.createElement("button");
  tile.type = "button";
  tile.className = state.odd.has(item.number) ? "tile odd" : "tile";
  tile.dataset.number = item.number;
  tile.setAttribute("aria-pressed", state.odd.has(item.number));
  const image = document.createElement("img");
  image.loading = "lazy";
  image.alt = `${item.group}, ${item.camera}`;
  image.src = `tile/${state.page.export}/${item.number}`;
  const words = document.createElement("span");
  words.textContent = item.boxes.length === 1 ? item.boxes[0].words
    : item.boxes.length ? `${item.boxes.length} fish: ${item.boxes.map((box) => box.species).join(", ")}` : "no fish";
  if (item.duplicates) words.textContent += `, and ${item.duplicates} alike`;
  tile.title = `${item.camera}  ${item.file}`;
  tile.append(image, words);
  tile.addEventListener("click", () => mark(item.number));
  return tile;
}

function mark(number) {
  if (!state.odd.delete(number)) state.odd.add(number);
  drawRows();
  $("odd-count").textContent = state.odd.size;
}

function confirmRow(species) {
  const numbers = [...state.waiting.values()].filter((item) => item.group === species && !state.odd.has(item.number));
  if (numbers.length) decide(numbers.map((item) => item.number), "confirm");
  else { state.asking = true; draw(); }
}

function asked() {
  return state.waiting.get([...state.odd][0]);
}

function drawQuestion() {
  const item = asked();
  if (state.named.number !== item.number) { state.named = { number: item.number, species: {} }; state.box = 0; }
  const box = item.boxes[state.box];
  const likely = item.probabilities.filter(([name]) => name !== state.page.no_fish).map(([name]) => name);
  const names = [...likely.filter((name) => state.page.species.includes(name)), ...state.page.species.filter((name) => !likely.includes(name))];
  state.choices = names;
  $("asked").textContent = box ? `${names[0]} or ${names[1] || "another"}? Box ${state.box + 1} of ${item.boxes.length}` : "No fish here?";
  $("why").textContent = `${item.camera}: ${item.file}. ${item.why}`;
  $("big").src = `image/${state.page.export}/${item.number}`;
  $("big").alt = item.file;
  const marks = $("marks");
  marks.setAttribute("viewBox", `0 0 ${item.width} ${item.height}`);
  marks.setAttribute("preserveAspectRatio", "none");
  marks.replaceChildren(...item.boxes.map((one, place) => outline(one, place === state.box)));
  const buttons = box ? names.map((name, place) => choice(`${name}`, place < 9 ? String(place + 1) : "", () => name_box(name))) : [];
  if (box) buttons.push(choice("no fish in this box", "0", () => name_box(state.page.no_fish)));
  buttons.push(choice(item.boxes.length ? "all right as shown" : "right, no fish", "Enter", confirmAsked),
    choice("unsure", "U", () => decide([item.number], "unsure")), choice("draw in labelme", "D", aside));
  $("choices").replaceChildren(...buttons);
}

function outline(box, isAsked) {
  const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  const [left, top, right, bottom] = box.xyxy;
  for (const [name, value] of Object.entries({ x: left, y: top, width: right - left, height: bottom - top })) rect.setAttribute(name, value);
  if (isAsked) rect.setAttribute("class", "asked");
  return rect;
}

function choice(words, shortcut, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(words, " ");
  if (shortcut) button.append(key(shortcut));
  button.addEventListener("click", act);
  return button;
}

function name_box(species) {
  const item = asked();
  const box = item.boxes[state.box];
  if (!box) return;
  if (species !== box.species) state.named.species[box.id] = species;
  state.box += 1;
  if (state.box < item.boxes.length) { drawQuestion(); return; }
  confirmAsked();
}

function confirmAsked() {
  const item = asked();
  const species = state.named.number === item.number ? state.named.species : {};
  state.named = {};
  decide([item.number], Object.keys(species).length ? "change" : "confirm", species);
}

async function aside() {
  const item = asked();
  try { await send("aside", { export: state.page.export, number: item.number }); } catch (problem) { tell(problem); return; }
  state.waiting.delete(item.number);
  state.odd.delete(item.number);
  if (!state.waiting.size) await load(); else draw();
}

function step(by) {
  const tiles = [...document.querySelectorAll(".tile")];
  const place = tiles.indexOf(document.activeElement);
  tiles[Math.min(Math.max(place + by, 0), tiles.length - 1)]?.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !state.page) return;
  const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const both = { z: undo, n: () => load(true).catch(tell) };
  const inRows = { x: () => mark(Number(document.activeElement?.dataset?.number)), ArrowRight: () => step(1), ArrowLeft: () => step(-1),
    Enter: () => confirmRow(document.activeElement?.closest(".row")?.dataset?.species || groups()[0][0]) };
  const inQuestion = { u: () => decide([asked().number], "unsure"), d: aside, Enter: confirmAsked, 0: () => name_box(state.page.no_fish) };
  const act = both[pressed] || (state.asking ? inQuestion[pressed] : inRows[pressed]);
  if (act) { event.preventDefault(); act(); return; }
  if (state.asking && /^[1-9]$/.test(pressed) && state.choices[pressed - 1]) { event.preventDefault(); name_box(state.choices[pressed - 1]); }
});
$("to-rows").addEventListener("click", () => { state.asking = false; if (state.waiting.size) { $("rows").hidden = false; $("question").hidden = true; drawRows(); } });
$("to-question").addEventListener("click", () => { state.asking = state.odd.size > 0; draw(); });
$("undo").addEventListener("click", undo);
$("next").addEventListener("click", () => load(true).catch(tell));
load().catch(tell);
