"use strict";
// Comparison of two models: shows what was computed, and computes no statistic.
(async () => {
  const $ = (id) => document.getElementById(id);
  if (!$("data")) return;
  const make = (tag, text, className) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (className) node.className = className;
    return node;
  };
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const inflated = (text) => new Response(new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate"))).json();
  const data = "packed" in $("data").dataset ? await inflated($("data").textContent) : JSON.parse($("data").textContent);

  // What stands in the triangles for A and B, turned round where A is the earlier of the two.
  const pair = (column, a, b) => {
    const [i, j] = column.place ? [column.place[a], column.place[b]] : [null, null];
    if (i === null || j === null || i === j) return null;
    const [at, later] = [(Math.max(i, j) * (Math.max(i, j) - 1)) / 2 + Math.min(i, j), i > j];
    const told = column.fine[at] || [column.digits, ...["difference", "low", "high"].map((name) => column[name][at])];
    const [difference, low, high] = told.slice(1).map((whole) => (whole === null ? NaN : whole / 10 ** told[0]));
    const alone = column.later ? [column.later[at], column.earlier[at]] : [];
    const [onlyA, onlyB] = later ? alone : alone.reverse();
    const turn = later ? 1 : -1;
    return { difference: turn * difference, low: later ? low : -high, high: later ? high : -low, digits: told[0],
      sign: turn * column.sign[at], better: turn * column.better[at], onlyA, onlyB, holm: column.holm[at],
      n: Array.isArray(column.n) ? column.n[at] : column.n };
  };
  const signed = (value, digits = 1) => {
    const size = Math.abs(value).toFixed(digits);
    return (Number(size) === 0 ? "" : value < 0 ? "−" : "+") + size;
  };
  const small = (p) => {
    if (p === null) return "n/a";
    if (p < 0.001) return p === 0 ? "<1e-300" : p.toExponential(0);
    let digits = 3;
    while (digits < 17 && Number(p.toFixed(digits)) < data.level !== p < data.level) digits += 1;
    return p.toFixed(digits);
  };
  const words = (column, test) => {
    if (Number.isNaN(test.difference)) return "not comparable";
    const size = Math.abs(test.difference).toFixed(test.digits);
    const unit = column.unit === "%" ? (Number(size) === 1 ? "point" : "points") : column.unit;
    const interval = `[${signed(test.low, test.digits)}, ${signed(test.high, test.digits)}]`;
    if (test.sign === 0) return `A and B are equal ${interval}`;
    return `A is ${size} ${unit} ${test.sign < 0 ? "lower" : "higher"} than B ${interval}`;
  };

  const forest = (test, reach) => {
    const line = make("span", undefined, "forest" + (test.better ? " apart" : ""));
    const at = (value) => 50 + (50 * Math.max(-reach, Math.min(reach, value))) / reach;
    const bar = make("i"), dot = make("b");
    bar.style.left = at(test.low) + "%";
    bar.style.width = at(test.high) - at(test.low) + "%";
    dot.style.left = at(test.difference) + "%";
    line.append(bar, dot);
    return line;
  };
  const cells = (row, values) => values.forEach(([label, content, className]) => {
    const cell = make("td", typeof content === "string" ? content : undefined, className);
    if (label) cell.dataset.l = label;
    if (typeof content !== "string") cell.append(content);
    row.append(cell);
  });
  const VERDICTS = { "1": ["A is better", "apart"], "0": ["not told apart", ""], "-1": ["B is better", "apart"] };
  const shown = (value) => {
    if (!value) return "–";
    const box = make("span", value[0]);
    box.append(make("small", ` [${value[1]}, ${value[2]}], n ${value[3]}`, "soft"));
    return box;
  };

  const compare = () => {
    const a = Number($("a").value), b = Number($("b").value);
    const tests = data.columns.map((column) => (a === b ? null : pair(column, a, b)));
    const real = tests.filter(Boolean);
    const reach = Math.max(1, ...real.flatMap((test) => [Math.abs(test.low), Math.abs(test.high)]).filter(Number.isFinite));
    const table = $("pairs").tBodies[0];
    table.replaceChildren();
    const better = { "A is better": 0, "B is better": 0 };
    data.columns.forEach((column, index) => {
      const test = tests[index];
      if (!column.values[a] && !column.values[b]) return;
      const row = make("tr");
      const head = make("th", column.title + " ");
      head.scope = "row";
      head.append(make("small", column.name + (column.lower ? ", lower is better" : ""), "soft"));
      row.append(head);
      cells(row, [["A", shown(column.values[a]), "right"], ["B", shown(column.values[b]), "right"]]);
      if (!test) {
        const why = a === b ? "one and the same" : !column.values[a] || !column.values[b] ? "one is not measured" : column.mean ? "no image in common" : "not a mean over images";
        cells(row, [["In words", "no paired test: " + why, "words soft"], ["", "", "wide"], ["", "", "right"], ["", "", "right"], ["Verdict", "no test", "soft"]]);
      } else {
        const [text, className] = VERDICTS[test.better];
        if (className) better[text] += 1;
        const said = make("span", words(column, test));
        said.append(make("small", ` the same ${test.n.toLocaleString("en")} ${test.n === 1 ? "image" : "images"}`, "soft"));
        cells(row, [["In words", said, "words"], ["", forest(test, reach), "wide"],
          ["Only A / only B correct", test.onlyA === undefined ? "–" : `${test.onlyA} / ${test.onlyB}`, "right"],
          ["p (Holm)", small(test.holm), "right"], ["Verdict", text, className]]);
      }
      table.append(row);
    });
    const [nameA, nameB] = [data.models[a].name, data.models[b].name];
    const told = better["A is better"] + better["B is better"];
    const sides = Object.entries(better).filter(([, count]) => count).map(([text, count]) => `${text} in ${count}`).join(", ");
    $("verdict").textContent = a === b ? "Choose two different models"
      : `A, ${nameA}, and B, ${nameB}: told apart in ${told} of ${real.length} columns${sides ? `: ${sides}` : ""}`;
    const quote = (word) => (/^[\w@:.=/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\"'\"'")}'`);
    $("command").textContent = `bench compare ${quote(nameA)} ${quote(nameB)} ${quote($("directory").textContent)} --images changed.csv`;
    heats(a, b);
    pictures(a, b);
    try { history.replaceState(null, "", `#a=${encodeURIComponent(nameA)}&b=${encodeURIComponent(nameB)}`); } catch { /* on disk */ }
  };

  // Pictures that one of the two gets right alone, of those on which the models of the column differ most.
  const SHOWN = 24;
  const pictures = (a, b) => {
    $("pictures").replaceChildren();
    for (const column of data.columns) {
      const found = data.pictures[column.name];
      if (!found || !found.right[a] || !found.right[b] || a === b) continue;
      const [one, other] = [bytes(found.right[a]), bytes(found.right[b])];
      const bit = (list, i) => (list[i >> 3] >> (7 - (i & 7))) & 1;
      const seen = [a, b].map((model) => found.scored[model]).filter(Boolean).map(bytes);
      for (const [side, wrong, yes] of [["A", "B", 1], ["B", "A", 0]]) {
        const only = found.ids.map((_, i) => i)
          .filter((i) => bit(one, i) !== bit(other, i) && bit(one, i) === yes && seen.every((list) => bit(list, i)));
        if (!only.length) continue;
        const fold = make("details");
        const part = found.of > found.ids.length ? ` (among the ${found.ids.length} of ${found.of} on which models differ most)` : "";
        fold.append(make("summary", `${column.title}: ${only.length} that ${side} gets right and ${wrong} does not${part}`));
        const list = make("ul", undefined, "thumbs");
        for (const i of only.slice(0, SHOWN)) {
          const item = make("li");
          if (found.pictures[i]) {
            const picture = make("img");
            picture.src = found.pictures[i];
            picture.alt = "";
            item.append(picture);
          }
          item.append(make("small", `${found.classes[i]} · ${found.ids[i]}`));
          list.append(item);
        }
        fold.append(list);
        if (only.length > SHOWN) fold.append(make("p", `and ${only.length - SHOWN} more; the command above lists all`, "soft"));
        $("pictures").append(fold);
      }
    }
    $("differing").hidden = !$("pictures").childElementCount;
  };

  // Error of A less error of B, by corruption and severity.
  const heats = (a, b) => {
    $("heats").replaceChildren();
    for (const [suite, errors] of Object.entries(data.errors)) {
      if (!errors.by[a] || !errors.by[b]) continue;
      const card = make("section", undefined, "card");
      card.append(make("h2", "Error of A minus error of B, points"));
      const table = make("table", undefined, "heat diff");
      const head = make("tr");
      head.append(make("td", "", "mean"), ...[1, 2, 3, 4, 5].map((s) => make("th", String(s))));
      table.createTHead().append(head);
      const inside = table.createTBody();
      errors.names.forEach((name, line) => {
        const row = make("tr");
        row.append(make("th", name));
        for (let s = 0; s < 5; s += 1) {
          const [x, y] = [errors.by[a][5 * line + s], errors.by[b][5 * line + s]];
          const known = x !== null && y !== null;
          const cell = make("td", known ? signed(x - y, 0) : "–", !known ? "mean" : x > y ? "up" : x < y ? "down" : "");
          if (known) cell.style.setProperty("--e", String(Math.min(92, 2 * Math.abs(x - y))));
          if (known && Math.abs(x - y) >= 32) cell.classList.add("dark");
          row.append(cell);
        }
        inside.append(row);
      });
      const about = make("p", "Orange: A makes more errors. Blue: B does. Suite ", "soft");
      about.append(make("code", suite), ". Full colour at 46 points.");
      const scroll = make("div", undefined, "scroll");
      scroll.append(table);
      card.append(scroll, about);
      $("heats").append(card);
    }
  };

  const choose = () => {
    const wanted = new URLSearchParams(location.hash.slice(1).replaceAll("+", "%2B"));
    for (const id of ["a", "b"]) {
      const index = data.models.findIndex((model) => model.name === wanted.get(id));
      if (index >= 0) $(id).value = String(index);
    }
    if (wanted.has("a") && !wanted.has("b") && $("a").value === $("b").value) $("b").value = $("a").value === "0" ? "1" : "0";
  };
  choose();
  compare();
  addEventListener("hashchange", () => { choose(); compare(); });
  for (const id of ["a", "b"]) $(id).addEventListener("change", compare);
  $("swap").addEventListener("click", () => {
    [$("a").value, $("b").value] = [$("b").value, $("a").value];
    compare();
  });
})();
