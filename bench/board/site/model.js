"use strict";
// Errors of one corruption, or of one severity, with their intervals: what a head of the heat map leads to.
(() => {
  const cell = (row, tag, text, className) => {
    const made = row.appendChild(document.createElement(tag));
    made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const line = (body, name, end) => {
    const row = body.insertRow();
    cell(row, "th", name).scope = "row";
    cell(row, "td", end ? end[0] : "not measured", "right");
    cell(row, "td", end ? `${end[1]}–${end[2]}` : "", "right");
    cell(row, "td", end ? String(end[3]) : "", "right");
    const bar = cell(row, "td", "", "wide").appendChild(document.createElement("span"));
    bar.className = "bar";
    if (end) {
      const inside = bar.appendChild(document.createElement("i"));
      inside.style.left = `${end[1]}%`;
      inside.style.width = `max(2px, ${end[2] - end[1]}%)`;
    }
  };
  for (const card of document.querySelectorAll("section:has(> .drill)")) {
    const [map, drill] = [card.querySelector(".heat"), card.querySelector(".drill")];
    const ends = JSON.parse(card.querySelector(".ends").textContent);
    const names = [...map.tBodies[0].rows].map((row) => row.cells[0].textContent);
    const buttons = [...map.querySelectorAll("button")];
    const show = (title, lines) => {
      const table = document.createElement("table");
      const head = table.createTHead().insertRow();
      for (const [text, className] of [[title, ""], ["Error, %", "right"], ["95 % interval", "right"], ["n", "right"], ["", "wide"]]) {
        cell(head, text ? "th" : "td", text, className);
      }
      const body = table.createTBody();
      for (const [name, end] of lines) line(body, name, end);
      drill.replaceChildren(table);
    };
    for (const button of buttons) {
      button.setAttribute("aria-expanded", "false");
      button.addEventListener("click", () => {
        const open = button.getAttribute("aria-expanded") === "false";
        for (const other of buttons) other.setAttribute("aria-expanded", "false");
        button.setAttribute("aria-expanded", String(open));
        drill.hidden = !open;
        const row = names.indexOf(button.textContent);
        if (row >= 0) show(button.textContent, ends[row].map((end, index) => [`severity ${index + 1}`, end]));
        else {
          const severity = Number(button.textContent) - 1;
          show(`severity ${button.textContent}`, names.map((name, index) => [name, ends[index][severity]]));
        }
      });
    }
  }
})();
