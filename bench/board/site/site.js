"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const make = (tag, text, className) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (className) node.className = className;
    return node;
  };

  // Colours: as the system, light, dark. Remembered where the browser lets a page on disk remember.
  const themes = ["auto", "light", "dark"];
  const remembered = () => { try { return localStorage.getItem("theme") || "auto"; } catch { return "auto"; } };
  const dress = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    $("theme").lastElementChild.textContent = theme[0].toUpperCase() + theme.slice(1);
    $("theme").setAttribute("aria-label", "Colours: " + (theme === "auto" ? "as the system" : theme));
  };
  const asked = new URLSearchParams(location.hash.slice(1)).get("theme");
  let theme = themes.includes(asked) ? asked : remembered();
  dress(theme);
  $("theme").addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    dress(theme);
    try { localStorage.setItem("theme", theme); } catch { /* not remembered, then */ }
  });

  const copy = (text) => navigator.clipboard ? navigator.clipboard.writeText(text) : Promise.reject();
  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", () => {
      const code = button.parentElement.querySelector("code");
      const said = (word) => { button.textContent = word; setTimeout(() => { button.textContent = "Copy"; }, 1500); };
      copy(code.textContent).then(() => said("Copied"), () => {
        getSelection().selectAllChildren(code);
        said("Selected");
      });
    });
  }

  // Two chosen models lead to the comparison.
  const tray = $("tray");
  if (tray) {
    let picked = [];
    const picks = [...document.querySelectorAll(".pick")];
    const show = () => {
      tray.hidden = !picked.length;
      tray.firstElementChild.textContent = picked.map((box) => box.value).join(" and ") + (picked.length < 2 ? " and …" : "");
      tray.querySelector("a").hidden = picked.length < 2;
      tray.querySelector("a").href = "compare.html#" + picked.map((box, i) => "ab"[i] + "=" + encodeURIComponent(box.value)).join("&");
    };
    for (const box of picks) {
      box.addEventListener("change", () => {
        picked = picked.filter((other) => other !== box);
        if (box.checked) picked.push(box);
        if (picked.length > 2) picked.shift().checked = false;
        show();
      });
    }
    tray.querySelector("button").addEventListener("click", () => {
      for (const box of picks) box.checked = false;
      picked = [];
      show();
    });
  }

  // Comparison of two models.
  if (!$("data")) return;
  const data = JSON.parse($("data").textContent);
  const Z = 1.959963984540054;
  const triangle = (list, i, j) => list[(Math.max(i, j) * (Math.max(i, j) + 1)) / 2 + Math.min(i, j)];

  const mcnemar = (onlyA, onlyB) => {
    const n = onlyA + onlyB;
    let term = -n * Math.LN2, sum = 0;
    for (let i = 0; i <= Math.min(onlyA, onlyB); i += 1) {
      sum += Math.exp(term);
      term += Math.log((n - i) / (i + 1));
    }
    return Math.min(1, 2 * sum);
  };
  const score = (p, n) => {
    const half = Z * Math.sqrt(Z * Z + 4 * n * p * (1 - p));
    return [(2 * n * p + Z * Z - half) / (2 * (n + Z * Z)), (2 * n * p + Z * Z + half) / (2 * (n + Z * Z))];
  };
  // Newcombe 1998, method 10, as in bench/metrics/paired.py.
  const newcombe = (both, onlyA, onlyB, n) => {
    const neither = n - both - onlyA - onlyB, a = (both + onlyA) / n, b = (both + onlyB) / n;
    const [lowA, highA] = score(a, n), [lowB, highB] = score(b, n);
    const product = (both + onlyA) * (onlyB + neither) * (both + onlyB) * (onlyA + neither);
    const excess = both * neither - onlyA * onlyB;
    const phi = product ? (excess > 0 ? Math.max(excess - n / 2, 0) : excess) / Math.sqrt(product) : 0;
    const down = (a - lowA) ** 2 - 2 * phi * (a - lowA) * (highB - b) + (highB - b) ** 2;
    const up = (highA - a) ** 2 - 2 * phi * (highA - a) * (b - lowB) + (b - lowB) ** 2;
    return [100 * (a - b - Math.sqrt(Math.max(down, 0))), 100 * (a - b + Math.sqrt(Math.max(up, 0)))];
  };
  const pair = (column, a, b) => {
    const [i, j] = column.place ? [column.place[a], column.place[b]] : [null, null];
    if (i === null || j === null) return null;
    if (column.both) {
      const both = triangle(column.both, i, j);
      const onlyA = triangle(column.both, i, i) - both, onlyB = triangle(column.both, j, j) - both;
      const [low, high] = newcombe(both, onlyA, onlyB, column.n);
      return { difference: (100 * (onlyA - onlyB)) / column.n, low, high, p: mcnemar(onlyA, onlyB), onlyA, onlyB, holm: triangle(column.holm, i, j) };
    }
    const difference = column.means[i] - column.means[j], half = triangle(column.half, i, j);
    return { difference, low: difference - half, high: difference + half, p: triangle(column.p, i, j), holm: triangle(column.holm, i, j) };
  };
  const signed = (value, digits = 1) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);
  const small = (p) => (p >= 0.001 ? p.toFixed(3) : p === 0 ? "<1e-300" : p.toExponential(0));

  const forest = (test, reach) => {
    const line = make("span", undefined, "forest" + (test.holm < 0.05 ? " apart" : ""));
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
  const verdict = (column, test) => {
    if (test.holm >= 0.05) return ["not told apart", ""];
    return [(test.difference > 0) !== column.lower ? "A is better" : "B is better", "apart"];
  };
  const shown = (value) => (value ? value[0] : "–");

  const compare = () => {
    const a = Number($("a").value), b = Number($("b").value);
    const tests = data.columns.map((column) => pair(column, a, b));
    const real = tests.filter(Boolean);
    const reach = Math.max(1, ...real.map((test) => Math.max(Math.abs(test.low), Math.abs(test.high))));
    const table = $("pairs").tBodies[0];
    table.replaceChildren();
    let apart = 0;
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
        cells(row, [["A less B", "–", "right"], ["", "", "wide"], ["", "", "right"], ["p", "–", "right"],
          ["Verdict", "no paired test: " + (column.values[a] && column.values[b] ? "not a mean over images" : "one is not measured"), "soft"]]);
      } else {
        const [text, className] = verdict(column, test);
        apart += className !== "";
        const points = `${signed(test.difference)} [${signed(test.low)}, ${signed(test.high)}]`;
        cells(row, [["A less B", points, "right"], ["", forest(test, reach), "wide"],
          ["Only A / only B right", test.onlyA === undefined ? "–" : `${test.onlyA} / ${test.onlyB}`, "right"],
          ["p (Holm)", small(test.holm), "right"], ["Verdict", text, className]]);
      }
      table.append(row);
    });
    const [nameA, nameB] = [data.models[a].name, data.models[b].name];
    $("verdict").textContent = a === b ? "Choose two different models"
      : `${nameA} and ${nameB}: told apart in ${apart} of ${real.length} columns`;
    const quote = (word) => (/^[\w@:.=/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\"'\"'")}'`);
    $("command").textContent = `bench compare ${quote(nameA)} ${quote(nameB)} ${quote($("directory").textContent)} --images changed.csv`;
    heats(a, b);
    try { history.replaceState(null, "", `#a=${encodeURIComponent(nameA)}&b=${encodeURIComponent(nameB)}`); } catch { /* on disk */ }
  };

  // Error of A less error of B, by corruption and severity.
  const heats = (a, b) => {
    $("heats").replaceChildren();
    for (const [suite, errors] of Object.entries(data.errors)) {
      if (!errors.by[a] || !errors.by[b]) continue;
      const card = make("section", undefined, "card");
      card.append(make("h2", "Error of A less error of B, points"));
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
          const cell = make("td", known ? signed(x - y, 0) : "–", known ? (x > y ? "up" : "down") : "mean");
          if (known) cell.style.setProperty("--e", String(Math.min(100, 2 * Math.abs(x - y))));
          if (known && Math.abs(x - y) > 35) cell.classList.add("dark");
          row.append(cell);
        }
        inside.append(row);
      });
      const about = make("p", "Orange: A makes more errors. Blue: B does. Suite ", "soft");
      about.append(make("code", suite), ". Full colour at 50 points.");
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
