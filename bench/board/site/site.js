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

  // A sign at the edge behind which more columns, or the rest of a figure, lie.
  const cues = [...document.querySelectorAll(".long > .scroll, .sheets > .sheet")].map((scroll) => () => {
    const rest = scroll.scrollWidth - scroll.clientWidth - scroll.scrollLeft;
    scroll.parentElement.classList.toggle("more-right", rest > 2);
  });
  const cue = () => { for (const one of cues) one(); };
  addEventListener("resize", cue);
  addEventListener("load", cue);
  document.addEventListener("scroll", cue, { passive: true, capture: true });

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
})();
