"use strict";
const byId = (id) => document.getElementById(id);
const made = (tag, className, text) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
};
const state = (text, isError) => {
  byId("state").textContent = text;
  byId("state").classList.toggle("warning", Boolean(isError));
};
const marks = (title) => {
  const all = [[title.verdict, title.verdict === "violation" ? "violation: " + title.violated.join(", ") : title.verdict]];
  if (!title.in_catalog) all.push(["out", "not in the catalog"]);
  if (title.repeated) all.push(["again", "repeated"]);
  if (title.seen) all.push(["seen", "already " + document.body.dataset.consumed]);
  return all;
};
const item = (title) => {
  const row = made("li");
  row.append(made("span", "name", title.year === null ? title.title : `${title.title} (${title.year})`));
  for (const [kind, text] of marks(title)) row.append(" ", made("span", "mark " + kind, text));
  const [first] = title.evidence;
  if (first) row.append(made("p", "evidence", `${first.trait}: risk ${first.risk.toFixed(2)}, ${first.source}: ${first.detail}`));
  return row;
};
const writing = (text) => text.split("\n").filter((line) => line.trim()).map((line) => {
  const row = made("li", "writing");
  row.append(made("span", "name", line));
  return row;
});
const show = (list) => {
  byId(list.kind).replaceChildren(...(list.text === undefined ? (list.titles || []).map(item) : writing(list.text)));
  byId(list.kind + "-note").textContent = list.error || list.note || "";
};
const messageOf = async (response) => {
  const body = await response.json().catch(() => ({}));
  if (body.error) return body.error.message;
  if (body.detail) return body.detail.map((problem) => `${problem.loc.slice(1).join(".")}: ${problem.msg}`).join("; ");
  return `the server answered with status ${response.status}`;
};
const ask = async () => {
  const text = byId("wish").value.trim();
  if (!text) return state("Type a wish first.", true);
  byId("send").disabled = true;
  state("Asking the policy ...");
  byId("lists").hidden = false;
  for (const kind of ["guided", "free"]) show({ kind, titles: [] });
  try {
    const response = await fetch("api/compare", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        text,
        constraints: [...document.querySelectorAll("[name=constraint]:checked")].map((box) => box.value),
        seen: byId("seen").value.split("\n").map((line) => line.trim()).filter(Boolean),
      }),
    });
    if (!response.ok) throw new Error(await messageOf(response));
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      rest += value;
      const lines = rest.split("\n");
      rest = lines.pop();
      lines.filter(Boolean).map((line) => JSON.parse(line)).forEach(show);
    }
    state("Done.");
  } catch (error) {
    state(error.message, true);
  } finally {
    byId("send").disabled = false;
  }
};
byId("form").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
byId("form").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); ask(); }
});
const filter = byId("filter");
if (filter) filter.addEventListener("input", () => {
  const wanted = filter.value.trim().toLowerCase();
  for (const label of document.querySelectorAll(".traits label")) {
    label.hidden = !label.textContent.toLowerCase().includes(wanted) && !label.firstElementChild.checked;
  }
});
