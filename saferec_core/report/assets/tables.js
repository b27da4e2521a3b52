"use strict";
/* Tables that sort by the buttons in their heads. What has no value stays at the end. */
(() => {
  const valueOf = (row, column) => {
    const text = row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
    const number = Number(text);
    return text === "" ? null : Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));

  for (const table of document.querySelectorAll("table.sortable")) {
    for (const button of table.tHead.querySelectorAll("button")) {
      button.addEventListener("click", () => {
        const head = button.closest("th");
        const other = { ascending: "descending", descending: "ascending" };
        const order = other[head.getAttribute("aria-sort")] ?? button.dataset.first;
        for (const cell of table.tHead.querySelectorAll("th")) cell.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row, head.cellIndex), row]);
        rows.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b)));
        table.tBodies[0].append(...rows.map(([, row]) => row));
      });
    }
  }
})();
