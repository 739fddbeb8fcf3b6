// Sends photographs, asks for what has become of them, and shows it.
"use strict";
const AT_ONCE = 4; // uploads; a browser has six connections to a server
const say = document.body.dataset;
const find = (id) => document.getElementById(id);
const cards = find("cards"), large = find("large");
const originals = new Map(); // by the photograph's key: the file, which is shown large
const line = []; // [file, path] that are not sent yet
let sending = 0, waiting = 0, count = 0, looking = false, asked = false, current = null, failures = 0;

const sleep = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));
const post = (url, body) => fetch(url, { method: "POST", body });

function take(files) {
  for (const [file, path] of files) {
    if (!say.suffixes.split(" ").some((end) => path.toLowerCase().endsWith(end))) refuse(path, say.notAPhotograph);
    else if (file.size > say.largest * 1e6) refuse(path, say.tooLarge);
    else line.push([file, path]);
  }
  while (sending < AT_ONCE && line.length) sendNext();
  tell();
}

async function sendNext() {
  sending += 1;
  while (line.length) {
    const [file, path] = line.shift();
    await send(file, path);
    look();
  }
  sending -= 1;
  tell();
}

async function send(file, path) {
  for (;;) {
    const query = new URLSearchParams({ name: path, hidden: find("review").checked && find("blind").checked });
    let answer, text;
    try {
      answer = await post(`photographs?${query}`, file);
      text = await answer.text();
    } catch {
      return refuse(path, say.notSent);
    }
    if (answer.status === 202) return originals.set(text, file);
    if (![429, 503].includes(answer.status)) return refuse(path, text); // 503: too many connections
    await sleep(Number(answer.headers.get("Retry-After") ?? 2));
  }
}

async function look() {
  asked = true; // also of a look under way, whose answer may be older than what is asked about
  if (looking) return;
  looking = true;
  while (asked || waiting || sending || failures) {
    asked = false;
    try {
      const answer = await fetch(`photographs?after=${count}`);
      if (!answer.ok) throw new Error(answer.status);
      const news = await answer.json();
      ({ count, waiting } = news);
      news.cards.forEach(place);
      failures = 0;
    } catch {
      failures += 1;
    }
    tell();
    if (waiting || sending || failures) await sleep(failures ? 2 : 0.4);
  }
  looking = false;
}

function place(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const card = template.content.firstElementChild, former = find(card.id);
  if (former) former.replaceWith(card);
  else (card.className === "card" ? cards : find("refused")).append(card);
  if (card.id === current) showSaid();
}

function refuse(path, reason) {
  const item = document.createElement("li");
  item.textContent = `${path}: ${reason}`;
  find("refused").append(item);
  tell();
}

function tell() {
  const graded = cards.children.length, refused = find("refused").children.length;
  const text = { graded, refused, waiting: waiting + sending + line.length };
  const told = failures ? say.lost : say.progress.replace(/{(\w+)}/g, (_, name) => text[name]);
  if (find("status").textContent !== told && graded + refused + text.waiting) find("status").textContent = told;
  find("results").hidden = !graded;
  find("not-graded").hidden = !refused;
  find("labels").hidden = !cards.querySelector("[data-own]");
  for (const number of document.querySelectorAll("[data-count]"))
    number.textContent = cards.querySelectorAll(`[data-action="${number.dataset.count}"]`).length;
  arrange();
}

// What is hidden has no score: it stands first, in the order it came.
function arrange() {
  const wanted = find("find").value.trim().toLowerCase(), action = find("show").value, sort = find("sort").value;
  const value = (card) => [Number(card.dataset.position ?? 0), Number(card.dataset.score ?? 0)];
  const worst = (a, b) => value(a)[0] - value(b)[0] || value(a)[1] - value(b)[1];
  const by = { worst, best: (a, b) => worst(b, a), path: (a, b) => a.dataset.path.localeCompare(b.dataset.path) }[sort];
  const before = [...cards.children], after = [...before].sort(by);
  // Not while one is looked at: the next would be another.
  if (!large.open && after.some((card, place) => card !== before[place])) {
    const focused = document.activeElement;
    cards.append(...after);
    if (cards.contains(focused)) focused.focus();
  }
  for (const card of after)
    card.hidden = !card.dataset.path.toLowerCase().includes(wanted) || (action !== "" && card.dataset.action !== action);
}

function open(card) {
  current = card.id;
  const key = current.slice(2), picture = find("large-picture"), small = card.querySelector("img");
  URL.revokeObjectURL(picture.src);
  picture.onerror = () => { picture.onerror = null; picture.src = small.src; };
  picture.src = originals.has(key) ? URL.createObjectURL(originals.get(key)) : small.src;
  picture.alt = find("large-path").textContent = card.dataset.path;
  find("own").hidden = !find("review").checked;
  showSaid();
  if (!large.open) large.showModal();
}

function showSaid() {
  const card = find(current);
  find("large-said").replaceChildren(card.querySelector(".said").cloneNode(true));
  for (const button of find("own").querySelectorAll("button"))
    button.setAttribute("aria-pressed", String(button.dataset.name === card.dataset.own));
}

async function grade(name) {
  const key = current.slice(2);
  try {
    const answer = await post(`photographs/${key}/grade?${new URLSearchParams({ name })}`);
    const text = await answer.text();
    if (answer.ok) place(text);
    else find("large-said").textContent = text;
  } catch {
    find("large-said").textContent = say.lost;
  }
  tell();
}

function step(by) {
  const shown = [...cards.children].filter((card) => !card.hidden);
  const next = shown[shown.findIndex((card) => card.id === current) + by];
  if (next) open(next);
}

async function dropped(transfer) {
  // All at once: after a wait there are none any more. What was dragged out of another page has no entry.
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const given = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const files = [];
  for (const one of given) {
    if (one instanceof File) files.push([one, one.name]);
    else await walk(one, files);
  }
  take(files);
}

async function walk(entry, files) {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile)
    return new Promise((done) => entry.file((file) => done(files.push([file, path])), () => done(refuse(path, say.notSent))));
  const reader = entry.createReader();
  for (;;) { // it gives a hundred at a time
    const some = await new Promise((done) => reader.readEntries(done, () => done(refuse(path, say.notSent) ?? [])));
    if (!some.length) return;
    for (const one of some) await walk(one, files);
  }
}

for (const id of ["photographs", "folder"])
  find(id).addEventListener("change", ({ target }) => {
    take([...target.files].map((file) => [file, file.webkitRelativePath || file.name]));
    target.value = ""; // the same may be chosen again
  });
addEventListener("dragover", (event) => { event.preventDefault(); find("drop").classList.add("over"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) find("drop").classList.remove("over"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  find("drop").classList.remove("over");
  dropped(event.dataTransfer);
});
for (const id of ["find", "show", "sort"]) find(id).addEventListener("input", arrange);
const review = () => { find("blindly").hidden = !find("review").checked; };
find("review").addEventListener("change", review);
// Without the switch nothing is hidden any more; a grade given then is noted as not blind.
for (const id of ["review", "blind"])
  find(id).addEventListener("change", async ({ target }) => { if (!target.checked) { await post("reveal"); look(); } });
find("clear").addEventListener("click", async () => {
  if (!confirm(say.sure)) return;
  await post("clear");
  location.reload();
});
cards.addEventListener("click", ({ target }) => { if (target.closest(".open")) open(target.closest(".card")); });
find("own").addEventListener("click", ({ target }) => { if (target.dataset.name) grade(target.dataset.name); });
find("previous").addEventListener("click", () => step(-1));
find("next").addEventListener("click", () => step(1));
find("close").addEventListener("click", () => large.close());
large.addEventListener("close", () => { arrange(); find(current)?.querySelector(".open").focus(); });
large.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const own = find("own").querySelectorAll("button")[Number(event.key) - 1];
  if (own && find("review").checked) grade(own.dataset.name);
  else if (event.key === "ArrowRight") step(1);
  else if (event.key === "ArrowLeft") step(-1);
});
review();
look();
