"use strict";
// While runs go on: shows what the server has read, and loads a page of the site again when it was made anew.
(() => {
  const $ = (id) => document.getElementById(id);
  const root = document.querySelector("[data-root]").dataset.root;
  let version = null;
  const busy = () => ["INPUT", "SELECT"].includes(document.activeElement.tagName) || document.querySelector("#tray:not([hidden])")
    || !getSelection().isCollapsed;
  const time = (seconds) => (seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min`
    : `${(seconds / 3600).toFixed(1)} h`);
  const put = (row, tag, text, label, className) => {
    const cell = row.appendChild(document.createElement(tag));
    cell.textContent = text;
    if (label) cell.dataset.l = label;
    if (className) cell.className = className;
    return cell;
  };
  const numbers = (list) => {
    const body = document.createElement("tbody");
    const begun = list.filter((number) => number.note !== "not begun");
    const waiting = list.length - begun.length;
    $("waiting").textContent = waiting ? `${waiting} more ${waiting === 1 ? "number has" : "numbers have"} not begun.` : "";
    for (const number of begun) {
      const row = body.insertRow();
      put(row, "th", number.model).scope = "row";
      put(row, "td", number.suite, "Suite");
      put(row, "td", number.condition, "Condition");
      put(row, "td", number.n === "0" ? "–" : number.text, "Accuracy, %", "right");
      put(row, "td", number.n === "0" ? "–" : `${number.low}–${number.high}`, "95 % interval", "right");
      const bar = put(row, "td", "", "", "wide").appendChild(document.createElement("span"));
      bar.className = "bar";
      const inside = bar.appendChild(document.createElement("i"));
      inside.style.left = `${number.left}%`;
      inside.style.width = `${number.width}%`;
      put(row, "td", `${number.n} of ${number.of}`, "n", "right");
      put(row, "td", number.note, "", "soft");
    }
    $("numbers").tBodies[0].replaceWith(body);
  };
  const show = (found) => {
    const share = found.planned ? (100 * found.done) / found.planned : 0;
    $("state").textContent = found.state;
    const bar = document.querySelector(".progress");
    bar.setAttribute("aria-valuenow", share.toFixed(0));
    bar.firstElementChild.style.width = `${share}%`;
    $("done").textContent = `${found.done.toLocaleString("en")} of ${found.planned.toLocaleString("en")}`;
    $("rate").textContent = found.rate === null ? "–" : found.rate.toFixed(1);
    $("left").textContent = found.left === null ? "–" : time(found.left);
    $("problems").hidden = !found.problems.length;
    $("problems").replaceChildren(...found.problems.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    numbers(found.numbers);
  };
  const look = async () => {
    try {
      const found = await (await fetch(`${root}state.json`)).json();
      if ($("numbers")) show(found);
      else if (version !== null && found.version !== version && !busy()) location.reload();
      if (version === null || $("numbers")) version = found.version;
    } catch {
      if ($("state")) $("state").textContent = "bench report --serve has ended: these are its last numbers";
    }
    setTimeout(look, 2000);
  };
  look();
})();
