"use strict";
const svg = document.querySelector("svg");
const lines = [...svg.querySelectorAll(".line")];
const nodes = [...svg.querySelectorAll(".node")];
let held = null;
function show(node) {
  svg.classList.toggle("held", node !== null);
  const lit = new Set([node]);
  for (const line of lines) {
    const on = node !== null && !line.classList.contains("off") && line.dataset.ends.split(" ").includes(node);
    line.classList.toggle("lit", on);
    if (on) line.dataset.ends.split(" ").forEach((end) => lit.add(end));
  }
  for (const one of nodes) one.classList.toggle("lit", lit.has(one.dataset.node));
}
for (const node of nodes) {
  const own = node.dataset.node;
  node.addEventListener("mouseenter", () => held === null && show(own));
  node.addEventListener("mouseleave", () => held === null && show(null));
  const hold = () => { held = held === own ? null : own; show(held); };
  node.addEventListener("click", hold);
  node.addEventListener("keydown", (event) => { if (event.key === "Enter") hold(); });
}
for (const box of document.querySelectorAll("[data-group]")) {
  if (box.tagName !== "INPUT") continue;
  const set = () => {
    for (const line of lines) if (line.dataset.group === box.dataset.group) line.classList.toggle("off", !box.checked);
    show(held);
  };
  box.addEventListener("change", set);
  set();
}
