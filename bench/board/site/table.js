"use strict";
// The table of a page (#board): sorts, filters, folds columns, pages, copies itself, and keeps all that in the address.
(() => {
  const $ = (id) => document.getElementById(id);
  const board = $("board");
  if (!board) return;
  const body = board.tBodies[0];
  const rows = [...body.rows];
  const heads = [...board.tHead.rows[board.tHead.rows.length - 1].cells];
  const groups = [...board.querySelectorAll(".groups th")];
  const step = Number(board.dataset.page) || Infinity;
  const noun = $("count").textContent.split(" ").pop();
  const first = heads.findIndex((head) => head.hasAttribute("aria-sort"));
  const state = { words: "", chosen: new Set(), hidden: new Set(), sort: first, down: false, limit: step, others: false };
  if (first >= 0) state.down = heads[first].getAttribute("aria-sort") === "descending";
  const usual = { sort: state.sort, down: state.down };
  const id = (column) => heads[column].dataset.id || String(column);

  // What was not measured stays last, whichever way the others run.
  const key = (row, column) => {
    const cell = row.cells[column];
    if ("v" in cell.dataset) return Number(cell.dataset.v);
    if (heads[column].classList.contains("num")) return null;
    return (cell.querySelector("a") || cell).textContent.trim().toLowerCase();
  };
  const sorted = () => {
    if (state.sort < 0) return rows;
    const keyed = rows.map((row) => [key(row, state.sort), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      const order = typeof a === "string" ? a.localeCompare(b) : a - b;
      return state.down ? -order : order;
    });
    return keyed.map(([, row]) => row);
  };
  const texts = new Map(rows.map((row) => [row, (row.querySelector(".model")
    ? row.cells[0].textContent + " " + row.cells[1].textContent : row.textContent).toLowerCase()]));
  const fits = (row, words) => words.every((word) => texts.get(row).includes(word))
    && (!state.chosen.size || state.chosen.has(row.dataset.method));

  // A column that no shown row has a number in folds away, as does one that was switched off.
  const sheet = document.head.appendChild(document.createElement("style"));
  const fold = (shown) => {
    const empty = (head, column) => head.classList.contains("num") && shown.length > 0
      && shown.every((row) => row.cells[column].classList.contains("none"));
    const folded = heads.map((head, column) => state.hidden.has(id(column)) || empty(head, column));
    const gone = folded.flatMap((yes, column) => (yes ? [column] : []));
    sheet.textContent = gone.map((column) => `#board tr:not(.groups) > :nth-child(${column + 1}) { display: none !important; }`).join("\n");
    groups.forEach((group) => {
      const [from, count] = [Number(group.dataset.from), Number(group.dataset.count)];
      const span = folded.slice(from, from + count).filter((yes) => !yes).length;
      group.hidden = span === 0;
      if (span) group.colSpan = span;
    });
    if ($("folded")) $("folded").textContent = gone.length ? `${gone.length} hidden` : "";
    return folded;
  };

  let view = { shown: rows, folded: heads.map(() => false) };
  const show = () => {
    const words = state.words.toLowerCase().split(/\s+/).filter(Boolean);
    const order = sorted();
    body.append(...order);
    const fitting = order.filter((row) => fits(row, words));
    const listed = new Set(fitting.slice(0, state.limit));
    for (const row of rows) row.hidden = !listed.has(row);
    view = { shown: fitting, folded: fold(fitting) };
    heads.forEach((head, column) => {
      if (column === state.sort) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    $("count").textContent = `${fitting.length} of ${rows.length} ${noun}`;
    $("nothing").hidden = fitting.length > 0;
    if ($("more")) {
      $("more").hidden = listed.size === fitting.length;
      $("more").firstElementChild.textContent = `${listed.size} of ${fitting.length} shown`;
    }
    board.classList.toggle("no-others", !state.others);
    dispatchEvent(new Event("resize"));  // other columns may lie beyond the edge now
  };

  // The address holds the view, so that it can be sent to somebody.
  const remember = () => {
    const told = new URLSearchParams();
    if (state.words) told.set("q", state.words);
    for (const method of state.chosen) told.append("method", method);
    if (state.sort !== usual.sort || state.down !== usual.down) told.set("sort", (state.down ? "-" : "") + id(state.sort));
    for (const column of state.hidden) told.append("hide", column);
    if (state.others) told.set("others", "1");
    if (document.documentElement.dataset.theme) told.set("theme", document.documentElement.dataset.theme);
    try { history.replaceState(null, "", "#" + told); } catch { /* an address that the browser keeps */ }
  };
  const recall = () => {
    const told = new URLSearchParams(location.hash.slice(1));
    state.words = told.get("q") || "";
    state.chosen = new Set(told.getAll("method"));
    state.hidden = new Set(told.getAll("hide"));
    state.others = told.get("others") === "1";
    const sort = told.get("sort");
    const column = sort ? heads.findIndex((_, index) => id(index) === sort.replace(/^-/, "")) : -1;
    if (column >= 0) Object.assign(state, { sort: column, down: sort.startsWith("-") });
    $("search").value = state.words;
    for (const chip of chips) chip.setAttribute("aria-pressed", state.chosen.has(chip.dataset.method));
    if ($("among")) $("among").value = told.get("method") || "";
    for (const box of boxes) box.checked = !state.hidden.has(box.value);
    if ($("others")) $("others").checked = state.others;
    if ($("sort") && state.sort >= 0) $("sort").value = String(state.sort);
  };
  const change = (changed) => { Object.assign(state, { limit: step }, changed); show(); remember(); };

  const bestFirst = (column) => heads[column].classList.contains("num") && heads[column].dataset.lower === "0";
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (button) button.addEventListener("click", () => change({ sort: column, down: column === state.sort ? !state.down : bestFirst(column) }));
  });
  if ($("sort")) $("sort").addEventListener("change", () => {
    const column = Number($("sort").value);
    change({ sort: column, down: bestFirst(column) });
  });
  $("search").addEventListener("input", () => change({ words: $("search").value }));
  const chips = [...document.querySelectorAll(".chips button")];
  for (const chip of chips) chip.addEventListener("click", () => {
    if (!state.chosen.delete(chip.dataset.method)) state.chosen.add(chip.dataset.method);
    chip.setAttribute("aria-pressed", state.chosen.has(chip.dataset.method));
    change({});
  });
  if ($("among")) $("among").addEventListener("change", () => {
    state.chosen = new Set($("among").value ? [$("among").value] : []);
    change({});
  });
  const boxes = [...document.querySelectorAll("#columns input")];
  for (const box of boxes) box.addEventListener("change", () => {
    if (box.checked) state.hidden.delete(box.value);
    else state.hidden.add(box.value);
    change({});
  });
  if ($("others")) $("others").addEventListener("change", () => change({ others: $("others").checked }));
  if ($("more")) {
    const [next, all] = $("more").querySelectorAll("button");
    next.addEventListener("click", () => { state.limit += step; show(); });
    all.addEventListener("click", () => { state.limit = Infinity; show(); });
  }
  const clear = $("nothing").querySelector("button");
  clear.addEventListener("click", () => {
    state.chosen.clear();
    for (const chip of chips) chip.setAttribute("aria-pressed", "false");
    if ($("among")) $("among").value = "";
    $("search").value = "";
    change({ words: "" });
    $("search").focus();
  });

  // The view as text: what is filtered out or folded away is left out.
  const plain = (text) => text.replace(/[\u2195\u2191\u2193]/g, "").replace(/\s+/g, " ").trim();
  const table = (apart) => {
    const columns = heads.map((_, column) => column).filter((column) => !view.folded[column]);
    const name = (column) => plain((heads[column].querySelector("button") || heads[column]).textContent)
      + (heads[column].dataset.setting ? ` (${heads[column].dataset.setting})` : "");
    const titles = columns.flatMap((column) => (apart && heads[column].classList.contains("num") && heads[column].dataset.id
      ? [name(column), name(column) + " low", name(column) + " high"] : [name(column)]));
    const lines = view.shown.map((row) => columns.flatMap((column) => {
      const cell = row.cells[column];
      const value = plain((cell.querySelector(".v, .model a, a, .chip") || cell).textContent);
      const ends = cell.querySelector(".ci") ? cell.querySelector(".ci").textContent.split("–") : ["", ""];
      if (!heads[column].classList.contains("num") || !heads[column].dataset.id) return [value];
      if (cell.classList.contains("none")) return apart ? ["", "", ""] : ["–"];
      return apart ? [value, ...ends] : [`${value} [${ends.join(", ")}]`];
    }));
    return [titles, ...lines];
  };
  const spreadsheet = (text) => {
    const safe = /^[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/.test(text) && Number.isNaN(Number(text)) ? "'" + text : text;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const tex = (text) => text.replace(/[\\{}$&#_%^~]/g, (c) => ({ "\\": "\\textbackslash{}", "^": "\\textasciicircum{}", "~": "\\textasciitilde{}" })[c] || "\\" + c)
    .replaceAll("–", "--");
  const formats = {
    csv: () => table(true).map((line) => line.map(spreadsheet).join(",")).join("\n") + "\n",
    markdown: () => {
      const [titles, ...lines] = table(false).map((line) => `| ${line.map((text) => text.replaceAll("|", "\\|")).join(" | ")} |`);
      return [titles, titles.replace(/[^|]+/g, "---"), ...lines].join("\n") + "\n";
    },
    latex: () => {
      const [titles, ...lines] = table(false).map((line) => line.map(tex).join(" & ") + " \\\\");
      const kinds = heads.filter((_, column) => !view.folded[column]).map((head) => (head.classList.contains("num") ? "r" : "l")).join("");
      return [`\\begin{tabular}{${kinds}}`, "\\toprule", titles, "\\midrule", ...lines, "\\bottomrule", "\\end{tabular}"].join("\n") + "\n";
    },
  };
  for (const button of document.querySelectorAll("[data-copy]")) {
    const label = button.textContent;
    const said = (word) => { button.textContent = word; setTimeout(() => { button.textContent = label; }, 1500); };
    button.addEventListener("click", () => {
      const text = formats[button.dataset.copy]();
      const write = navigator.clipboard ? navigator.clipboard.writeText(text) : Promise.reject();
      write.then(() => said("Copied"), () => {
        const field = document.body.appendChild(document.createElement("textarea"));
        field.value = text;
        field.select();
        said(document.execCommand("copy") ? "Copied" : "Not copied");
        field.remove();
      });
    });
  }
  const download = $("download");
  if (download) download.addEventListener("click", () => {
    download.href = URL.createObjectURL(new Blob([formats.csv()], { type: "text/csv" }));
    setTimeout(() => URL.revokeObjectURL(download.href), 10000);
  });

  // A menu closes by a click elsewhere, and by Escape, which leads back to its button.
  const menus = [...document.querySelectorAll(".menu")];
  addEventListener("click", (event) => { for (const menu of menus) if (!menu.contains(event.target)) menu.open = false; });
  addEventListener("keydown", (event) => {
    for (const menu of event.key === "Escape" ? menus.filter((menu) => menu.open) : []) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  recall();
  show();
  addEventListener("hashchange", () => { recall(); show(); });
})();
