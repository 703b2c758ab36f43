"use strict";
// The page of images: filters, pages and the large view. Whatever comes from a file name is only ever set as text.
(() => {
  const data = window.TAFFRAIL;
  const PAGE = 48, CROP_PX = [200, 150];
  const byId = (id) => document.getElementById(id);
  const filters = byId("filters"), layers = byId("layers"), grid = byId("grid"), pages = byId("pages");
  const detail = byId("detail");
  const SVG = "http://www.w3.org/2000/svg";
  const failed = (one) => "failure" in one;
  let shown = [], page = 0, open = -1;

  const element = (tag, options = {}, children = []) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(options)) {
      if (name === "text") made.textContent = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };
  const drawn = (tag, attributes) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const axis = (one) => data.models[one.model];
  const dayOf = (one) => (one.taken ?? "").slice(0, 10);
  const tripOf = (one) => (one.name.includes("/") ? one.name.split("/")[0] : "");
  const percent = (share) => `${Math.round(share * 100)} %`;

  function fillChoices() {
    const counted = (key) => {
      const counts = new Map();
      for (const one of data.images) if (key(one)) counts.set(key(one), (counts.get(key(one)) || 0) + 1);
      return counts;
    };
    const add = (select, names, counts) => {
      for (const name of names) select.append(element("option", { value: name, text: `${name} (${counts.get(name)})` }));
    };
    const species = counted((one) => one.species), cameras = counted((one) => one.camera);
    const reasons = counted((one) => one.reason), days = counted(dayOf), trips = counted(tripOf);
    add(filters.elements.species, data.species.filter((name) => species.has(name)), species);
    add(filters.elements.camera, [...cameras.keys()].sort(), cameras);
    add(filters.elements.reason, [...reasons.keys()].sort(), reasons);
    add(filters.elements.day, [...days.keys()].sort(), days);
    add(filters.elements.trip, [...trips.keys()].sort(), trips);
    byId("reason-field").hidden = !reasons.size;
    if (!data.images.some((one) => one.unlike)) filters.elements.show.querySelector("[value=unlike]").remove();
    byId("day-field").hidden = !days.size;
    // Where each camera has a folder of its own below the job's, the camera says it all.
    byId("trip-field").hidden = [...trips.keys()].every((name) => cameras.has(name));
    for (const name of data.species) layers.elements.heat.append(element("option", { value: name, text: name }));
  }

  // The address holds the filters and the image that is open, so that a view can be kept, linked to and gone back to.
  const KEYS = { species: "", camera: "", day: "", trip: "", show: "", reason: "", agreement: "1", name: "", order: "doubtful" };
  function readAddress() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    for (const [key, usual] of Object.entries(KEYS)) filters.elements[key].value = wanted.get(key) ?? usual;
    page = Math.max(0, (parseInt(wanted.get("page"), 10) || 1) - 1);
  }
  function writeAddress(how = "replace") {
    const wanted = new URLSearchParams();
    for (const [key, usual] of Object.entries(KEYS)) {
      if (filters.elements[key].value !== usual) wanted.set(key, filters.elements[key].value);
    }
    if (page) wanted.set("page", page + 1);
    if (open >= 0) wanted.set("image", shown[open].id);
    const address = wanted.size ? `#${wanted}` : location.pathname + location.search;
    if (how === "push") history.pushState(null, "", address);
    else history.replaceState(null, "", address);
  }
  function openAddressed() {
    const id = new URLSearchParams(location.hash.slice(1)).get("image");
    let place = id === null ? -1 : shown.findIndex((one) => String(one.id) === id);
    if (id !== null && place < 0 && data.images.some((one) => String(one.id) === id)) {
      filters.reset();  // the link is to an image that these filters leave out
      choose();
      place = shown.findIndex((one) => String(one.id) === id);
    }
    if (place >= 0) {
      page = Math.floor(place / PAGE);
      showDetail(place, "replace");
    } else if (detail.open) {
      open = -1;
      detail.close();
    }
  }

  const byDoubt = (a, b) => (b.error_probability ?? -1) - (a.error_probability ?? -1) || a.id - b.id;
  const ORDERS = {
    // What a person has answered is doubtful no more.
    doubtful: (a, b) => !a.review === !b.review ? b.unlike - a.unlike || byDoubt(a, b) : a.review ? 1 : -1,
    sure: (a, b) => (a.error_probability ?? 2) - (b.error_probability ?? 2) || a.id - b.id,
    name: (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id - b.id),
    time: (a, b) => ((a.taken ?? "9") < (b.taken ?? "9") ? -1 : (a.taken ?? "9") > (b.taken ?? "9") ? 1 : a.id - b.id),
  };
  function choose() {
    const value = (key) => filters.elements[key].value;
    const most = Number(value("agreement")), part = value("name").toLowerCase();
    filters.elements.agreementShown.value = most.toFixed(2);
    shown = data.images.filter((one) =>
      (!value("species") || one.species === value("species")) &&
      (!value("camera") || one.camera === value("camera")) &&
      (!value("day") || dayOf(one) === value("day")) &&
      (!value("trip") || tripOf(one) === value("trip")) &&
      (!value("reason") || one.reason === value("reason")) &&
      (most >= 1 || (one.agreement ?? 2) <= most) &&
      (!part || one.name.toLowerCase().includes(part)) &&
      ({ "": true, flagged: one.flagged, unlike: one.unlike, agreed: one.flagged === false, reviewed: one.by === "person",
         differing: one.by === "person" && one.said !== one.review.species, failed: failed(one) })[value("show")]);
    shown.sort(ORDERS[value("order")]);
    page = Math.min(page, Math.max(0, Math.ceil(shown.length / PAGE) - 1));
  }

  function showGrid() {
    choose();
    drawGrid();
    writeAddress();
  }
  function drawGrid() {
    const first = page * PAGE, part = shown.slice(first, first + PAGE), last = Math.ceil(shown.length / PAGE) || 1;
    grid.replaceChildren(...part.map((one, place) => card(one, first + place)));
    byId("count").textContent = shown.length
      ? `${shown.length} of ${data.images.length}; ${first + 1} to ${first + part.length} shown`
      : "No image fits these filters.";
    pages.hidden = last < 2;
    pages.querySelector("span").textContent = `page ${page + 1} of ${last}`;
    pages.querySelector("[data-step='-1']").disabled = page === 0;
    pages.querySelector("[data-step='1']").disabled = page + 1 >= last;
    applyLayers();
  }

  function card(one, place) {
    const made = element("button", { type: "button", class: one.flagged ? "card flagged" : "card" }, [view(one, false)]);
    const words = element("span", { class: "words" });
    if (failed(one)) {
      words.append(element("b", { text: "no result" }));
    } else {
      if (one.flagged) words.append(element("span", { class: "badge", text: one.unlike ? "unlike all learnt from" : "flagged" }));
      if (one.review) words.append(element("span", { class: "badge seen", text: one.by === "duplicate" ? "by its duplicate" : `seen by ${one.review.reviewer}` }));
      const model = !one.review ? percent(one.probability) : one.said === one.species ? "" : `model: ${one.said}`;
      words.append(element("b", { text: one.species }), ` ${model}`, meter(one.agreement));
    }
    words.append(element("span", { class: "sub", text: `${one.camera} · ${one.name}` }));
    made.append(words);
    made.addEventListener("click", () => showDetail(place));
    return element("li", {}, [made]);
  }
  function meter(share) {
    const svg = drawn("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
    svg.append(drawn("rect", { width: share * 100, height: 10 }));
    return element("span", { class: "meter", title: `agreement ${share.toFixed(2)}` }, [svg]);
  }

  function view(one, large) {
    const made = element("span", { class: "view" });
    if (!one.image) {
      made.append(element("span", { class: "missing", text: one.failure || one.problem || "no image" }));
      return made;
    }
    const fish = one.boxes.filter((box) => box.answer).map((box) => box.species).join(", ") || "no fish boxed";
    const size = { width: one.width, height: one.height, loading: large ? "eager" : "lazy" };
    made.append(element("img", { src: one.image, alt: `${one.name}: ${fish}`, ...size }));
    const layer = element("span", { class: "layer" });
    layer.image = one;
    made.append(layer, boxes(one, large));
    return made;
  }
  // How wide bold words are at most, in heights of a letter: they must not leave the image at its right edge.
  const widthOf = (words) => [...words].reduce((sum, letter) => sum + (letter === letter.toLowerCase() ? 0.6 : 0.87), 0);
  function boxes(one, large) {
    const svg = drawn("svg", { viewBox: `0 0 ${one.width} ${one.height}`, "aria-hidden": "true" });
    const letter = one.width / (large ? 48 : 22);
    for (const box of one.boxes) {
      const [left, top, right, bottom] = box.box.map((share, place) => share * (place % 2 ? one.height : one.width));
      const group = drawn("g", { class: box.answer ? box.head : `${box.head} doubted` });
      group.append(drawn("rect", { x: left, y: top, width: right - left, height: bottom - top }));
      svg.append(group);
      // On a small image the words of a second box of the same fish would hide the first's.
      if (!large && !box.answer) continue;
      const above = top > letter * 1.3;
      const words = boxWords(box);
      const x = Math.max(0, Math.min(left, one.width - widthOf(words) * letter));
      const text = drawn("text", { x, y: above ? top - letter * 0.3 : top + letter, "font-size": letter });
      text.textContent = words;
      group.append(text);
    }
    return svg;
  }

  // What a head says of a box that is not the answer's is its own affair; the answer's box has one species.
  function boxWords(box) {
    if (box.head === "person") return box.species;
    if (!box.answer) return `${box.species} ${box.fish.toFixed(2)}`;
    return `fish ${box.fish.toFixed(2)}, ${box.species} ${box.probability.toFixed(2)}`;
  }

  function applyLayers() {
    for (const boxes of ["box_species", "heatmap", "doubted", "person"]) {
      document.body.classList.toggle(`hide-${boxes}`, !layers.elements[boxes].checked);
    }
    const wanted = layers.elements.heat.value;
    for (const layer of document.querySelectorAll(".layer")) {
      const one = layer.image;
      const species = wanted !== "*" ? wanted : one.species === data.noFish ? "" : one.species;
      const heat = one.heat, corner = species && heat && heat.corners[axis(one).indexOf(species)];
      if (corner) showPart(layer, data.sheets[heat.sheet].name, data.sheets[heat.sheet].size, corner, heat.size);
      else layer.style.backgroundImage = "";
    }
  }
  // Lets an element show a part of a larger image, which many others show parts of, too. Pairs are of x and y.
  function showPart(shown, file, whole, corner, part) {
    const shares = [0, 1].map((axis) => (whole[axis] > part[axis] ? corner[axis] / (whole[axis] - part[axis]) : 0));
    shown.style.backgroundImage = `url("${file}")`;
    shown.style.backgroundSize = [0, 1].map((axis) => `${(100 * whole[axis]) / part[axis]}%`).join(" ");
    shown.style.backgroundPosition = shares.map((share) => `${100 * share}%`).join(" ");
  }

  // how: a look at the first image is a step that the browser's back button takes back; those after it are not.
  function showDetail(place, how = open < 0 ? "push" : "replace") {
    open = place;
    const one = shown[place];
    byId("detail-name").textContent = one.name;
    const left = element("section", {}, [element("div", { class: "frame" }, [view(one, true)])]), right = element("section");
    const crops = one.boxes.filter((box) => (one.image || box.crop) && (box.answer || layers.elements.doubted.checked));
    if (crops.length) left.append(element("ul", { class: "crops" }, crops.map((box) => cropOf(one, box))));
    if (!failed(one)) right.append(probabilities(one));
    right.append(facts(one));
    if (one.original) right.append(element("a", { href: one.original, text: "the original" }));
    byId("detail-body").replaceChildren(left, right);
    detail.querySelector("[data-step='-1']").disabled = place === 0;
    detail.querySelector("[data-step='1']").disabled = place + 1 >= shown.length;
    applyLayers();
    if (!detail.open) detail.showModal();
    writeAddress(how);
  }
  const zoom = (event) => {
    const frame = byId("detail-body").querySelector(".frame");
    const within = frame.getBoundingClientRect();
    const [x, y] = event ? [event.clientX - within.left, event.clientY - within.top] : [within.width / 2, within.height / 2];
    const large = frame.classList.toggle("zoomed");
    if (large) frame.scrollTo(x * 3 - x, y * 3 - y);
  };
  // A box with some of what is around it, cut from the image that is shown; of an image that is gone, as it was kept.
  function cropOf(one, box) {
    const text = boxWords(box);
    const crop = one.image ? cutOut(one, box.box, `crop: ${text}`) : element("img", { src: box.crop, alt: `crop: ${text}`, loading: "lazy" });
    return element("li", { class: box.head }, [crop, element("span", { text })]);
  }
  function cutOut(one, [left, top, right, bottom], label) {
    const MARGIN = 0.15, [across, along] = CROP_PX, whole = [one.width, one.height];
    const padX = (right - left) * MARGIN, padY = (bottom - top) * MARGIN;
    const corner = [Math.max(0, left - padX) * one.width, Math.max(0, top - padY) * one.height];
    const part = [Math.min(1, right + padX) * one.width - corner[0], Math.min(1, bottom + padY) * one.height - corner[1]];
    const scale = Math.min(across / part[0], along / part[1]);
    const made = element("div", { class: "crop", role: "img", "aria-label": label });
    made.style.width = `${part[0] * scale}px`;
    made.style.height = `${part[1] * scale}px`;
    showPart(made, one.image, whole, corner, part);
    return made;
  }
  function probabilities(one) {
    const predictions = [one.probabilities, one.heads.box_species, one.heads.heatmap, ...(one.crops ? [one.crops] : [])];
    const names = ["", "answer", "box", "heat map", ...(one.crops ? ["crops"] : [])];
    const head = element("tr", {}, names.map((text) => element("th", { scope: "col", text })));
    const rows = axis(one).map((name, place) => {
      const row = element("tr", name === one.said ? { class: "final" } : {}, [element("th", { scope: "row", text: name })]);
      row.append(...predictions.map((shares) => element("td", { text: percent(shares[place]) })));
      return row;
    });
    return element("table", { class: "probabilities" }, [element("thead", {}, [head]), element("tbody", {}, rows)]);
  }
  function facts(one) {
    const pairs = [["camera", one.camera]];
    if (one.taken) pairs.push(["taken", one.taken.replace("T", " ")]);
    if (one.width) pairs.push(["size", `${one.width} × ${one.height}`]);
    if (one.review) {
      const { reviewer, at, outcome, species } = one.review;
      pairs.push([one.by === "duplicate" ? "a person says of its duplicate" : "a person says", `${species} (${outcome} by ${reviewer}, ${at.slice(0, 16).replace("T", " ")} UTC)`]);
    }
    if (failed(one)) {
      pairs.push(["state", one.state], ["failure", one.failure]);
    } else {
      pairs.push(["chance it is wrong", `${percent(one.error_probability)}${one.flagged ? ", flagged" : ""}`]);
      if (one.unlike) pairs.push(["caution", "unlike all that the model learnt from: do not believe its answer"]);
      pairs.push(["agreement", one.agreement.toFixed(2)]);
      pairs.push(["boxes overlap", percent(one.parts.iou)], ["species differ", one.parts.species_distance.toFixed(2)]);
      pairs.push(["fish on heat map", one.parts.fish_count], ["model", one.model]);
      if (one.problem) pairs.push(["image", one.problem]);
    }
    return element("dl", {}, pairs.flatMap(([name, text]) => [element("dt", { text: name }), element("dd", { text })]));
  }

  const stepDetail = (step) => {
    if (shown[open + step]) showDetail(open + step);
  };
  const stepPage = (step) => {
    page += step;
    showGrid();
    window.scrollTo(0, 0);
  };
  const changed = () => {
    page = 0;
    showGrid();
  };
  filters.addEventListener("input", changed);
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("reset", () => setTimeout(changed));
  layers.addEventListener("input", applyLayers);
  layers.addEventListener("submit", (event) => event.preventDefault());
  pages.addEventListener("click", (event) => event.target.dataset.step && stepPage(Number(event.target.dataset.step)));
  detail.addEventListener("click", (event) => {
    if (event.target === detail || "close" in event.target.dataset) detail.close();
    else if (event.target.dataset.step) stepDetail(Number(event.target.dataset.step));
    else if (event.target.closest(".frame")) zoom(event);
  });
  detail.addEventListener("close", () => {
    if (open < 0) return;  // the back button closed it
    // Back to the image last looked at, which may be on another page.
    const last = open;
    open = -1;
    page = Math.floor(last / PAGE);
    showGrid();
    const card = grid.children[last % PAGE];
    if (card) card.firstChild.focus();
  });
  const toggle = (names) => {
    const on = names.some((name) => layers.elements[name].checked);
    for (const name of names) layers.elements[name].checked = !on;
    applyLayers();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input[type=search], input[type=range], select")) return;
    const keys = {
      ArrowLeft: () => (detail.open ? stepDetail(-1) : page > 0 && stepPage(-1)),
      ArrowRight: () => (detail.open ? stepDetail(1) : (page + 1) * PAGE < shown.length && stepPage(1)),
      b: () => toggle(["box_species", "heatmap", "person"]),
      h: () => {
        layers.elements.heat.value = layers.elements.heat.value ? "" : "*";
        applyLayers();
      },
      z: () => detail.open && zoom(null),
      "/": () => filters.elements.name.focus(),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  const follow = () => {
    readAddress();
    choose();
    drawGrid();
    openAddressed();
  };
  window.addEventListener("popstate", follow);

  fillChoices();
  follow();
})();
