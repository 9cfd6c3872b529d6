// Tables of the class "sorts" sort by the column whose heading is pressed: numbers by size, dashes last.
const plain = /^(above )?[\d.,]+ ?%?$/;
const size = (text) => parseFloat(text.replace("above ", "").replaceAll(",", ""));
for (const table of document.querySelectorAll("table.sorts")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const text = (row) => row.cells[column].textContent;
      const rows = [...body.rows], known = rows.filter((row) => text(row) !== "—");
      const numbers = known.every((row) => plain.test(text(row)));
      const falls = head.getAttribute("aria-sort") === "ascending";
      known.sort((a, b) => (falls ? -1 : 1) * (numbers ? size(text(a)) - size(text(b))
        : text(a).localeCompare(text(b), "en", { numeric: true })));
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", falls ? "descending" : "ascending");
      body.append(...known, ...rows.filter((row) => text(row) === "—"));
    });
  });
}
