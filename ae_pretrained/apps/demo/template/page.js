"use strict";

const LAYERS = ["mask", "confidence", "reconstruction"];
const at = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const maxUpload = Number(document.body.dataset.maxUpload);
let running = null; // the request on its way, if any

function showError(message) {
  at("error").textContent = message;
  at("error").hidden = !message;
}

async function segment(file) {
  if (running) running.abort();
  showError("");
  if (file.size > maxUpload) {
    showError(`${file.name} has ${(file.size / 1048576).toFixed(1)} MB; at most ${maxUpload / 1048576} MB are taken.`);
    return;
  }
  const request = new AbortController();
  running = request;
  document.body.classList.add("waiting");
  at("status").textContent = `Segmenting ${file.name} …`;
  try {
    const answer = await fetch("/predict", {
      method: "POST",
      headers: { "Content-Type": "application/octet-stream" },
      body: file,
      signal: request.signal,
    });
    const found = await answer.json().catch(() => ({ error: `The answer (${answer.status}) cannot be read.` }));
    if (!answer.ok) throw new Error(found.error);
    await show(found, file.name);
    at("status").textContent = "";
  } catch (error) {
    if (request.signal.aborted) return; // another image took its place
    at("status").textContent = "";
    const unreachable = error instanceof TypeError;
    showError(unreachable ? "The program does not answer; is it still running in its terminal?" : error.message);
  } finally {
    if (running === request) {
      running = null;
      document.body.classList.remove("waiting");
    }
  }
}

async function show(found, name) {
  const what = found.class ?? "nothing but background";
  at("image").alt = `The image ${name}`;
  at("mask").alt = `Classes found in ${name}: ${what}`;
  at("confidence").alt = `How certain the model is of each pixel of ${name}`;
  at("reconstruction").alt = `Reconstruction of ${name} by the autoencoder`;
  for (const layer of ["image", ...LAYERS]) {
    if (layer in found.layers) at(layer).src = found.layers[layer];
  }
  await at("image").decode();
  // A tall image is no higher than the screen; the layers take the size of the stage.
  at("stage").style.maxWidth = `${(85 * found.width) / found.height}vh`;

  at("class").textContent = what;
  at("mean-confidence").textContent = percent(found.mean_confidence);
  at("size").textContent = `${found.width} × ${found.height} px`;
  at("shares").replaceChildren(...found.classes.map(row));
  at("drop").classList.add("small");
  at("result").hidden = false;
  update();
}

function row(item) {
  const line = document.createElement("tr");
  const name = document.createElement("th");
  name.scope = "row";
  const swatch = document.createElement("span");
  swatch.className = "swatch";
  swatch.style.background = item.color;
  name.append(swatch, item.name);
  const share = document.createElement("td");
  share.className = "number";
  share.textContent = percent(item.share);
  line.append(name, share);
  return line;
}

function update() {
  const opacity = at("opacity").value;
  at("opacity-value").textContent = `${opacity} %`;
  for (const box of document.querySelectorAll("[data-layer]")) {
    const layer = at(box.dataset.layer);
    layer.hidden = !box.checked;
    layer.style.opacity = opacity / 100;
  }
  at("scale").hidden = at("confidence").hidden;
}

at("file").addEventListener("change", (event) => {
  if (event.target.files.length) segment(event.target.files[0]);
  event.target.value = ""; // so that the same file can be chosen again
});
at("opacity").addEventListener("input", update);
for (const box of document.querySelectorAll("[data-layer]")) box.addEventListener("change", update);

let depth = 0; // dragging over a child leaves its parent
addEventListener("dragenter", () => { depth += 1; document.body.classList.add("dragging"); });
addEventListener("dragleave", () => { depth -= 1; if (depth <= 0) document.body.classList.remove("dragging"); });
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  document.body.classList.remove("dragging");
  const file = event.dataTransfer.files[0];
  if (file) segment(file);
  else showError("What was dropped is no file.");
});
update();
