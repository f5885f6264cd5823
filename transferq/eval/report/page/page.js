// Shows the answers of the report as one scrolls. All texts reach the page as text, never as HTML.
"use strict";
(() => {
  const BATCH = 10, PRINTED = 50;
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const list = byId("list"), more = byId("more");
  const shownRuns = new Set(data.runs.keys());
  const seeds = [...new Set(data.prompts.flatMap((p) => p.answers.map((a) => a[1])))];
  let seed = seeds[0], found = [], shown = 0;

  const make = (tag, cls, text) => {
    const element = document.createElement(tag);
    if (cls) element.className = cls;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  const sign = (run) => {
    const ns = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(ns, "svg"), use = document.createElementNS(ns, "use");
    svg.setAttribute("class", "key");
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", "#m" + run);
    svg.append(use);
    return svg;
  };

  // The text with its changed characters marked; they are counted in code points.
  const marked = (text, changed) => {
    const out = document.createDocumentFragment(), points = Array.from(text);
    let at = 0;
    for (let i = 0; i + 1 < changed.length; i += 2) {
      const begin = at + changed[i], end = begin + changed[i + 1];
      if (begin > at) out.append(points.slice(at, begin).join(""));
      if (end > begin) out.append(make("mark", "", points.slice(begin, end).join("")));
      at = end;
    }
    out.append(points.slice(at).join(""));
    return out;
  };

  const answerOf = ([run, , text, reward, kl, cut, changed]) => {
    const box = make("div", "answer"), title = make("h4");
    title.append(sign(run), data.runs[run]);
    const numbers = [];
    if (reward !== null) numbers.push("reward " + reward.toFixed(3));
    if (kl !== null) numbers.push("KL " + kl.toFixed(2));
    if (cut) numbers.push("cut");
    const words = make("p");
    words.dir = "auto";
    if (text === "") words.append(make("span", "none", "(an empty answer)"));
    else words.append(marked(text, changed));
    box.append(title, make("span", "numbers", numbers.join(" · ")), words);
    return box;
  };

  const promptOf = (prompt) => {
    const box = make("article", "prompt");
    box.append(make("div", "id", prompt.id));
    for (const [role, text] of prompt.before) {
      const turn = make("p", "before", role + ": " + text);
      turn.dir = "auto";
      box.append(turn);
    }
    const title = make("h3", "", prompt.text);
    title.dir = "auto";
    const answers = make("div", "answers");
    for (const answer of prompt.answers) {
      if (answer[1] === seed && shownRuns.has(answer[0])) answers.append(answerOf(answer));
    }
    box.append(title, answers);
    return box;
  };

  const says = () => {
    byId("found").textContent = found.length === data.prompts.length
      ? found.length + " prompts" : found.length + " of " + data.prompts.length + " prompts";
    more.textContent = shown < found.length
      ? shown + " of " + found.length + " prompts are shown; the others follow as one scrolls."
      : "";
  };
  const showTo = (count) => {
    const next = document.createDocumentFragment();
    for (; shown < Math.min(count, found.length); ++shown) next.append(promptOf(found[shown]));
    list.append(next);
    says();
  };
  // Fills what can be seen and a screen beneath; an observer alone tells of changes only.
  const fill = () => {
    while (shown < found.length &&
           more.getBoundingClientRect().top < 2 * window.innerHeight) showTo(shown + BATCH);
  };
  const start = () => {
    const wanted = byId("filter").value.trim().toLowerCase();
    found = data.prompts.filter((p) => (p.text + "\n" + p.id).toLowerCase().includes(wanted));
    list.textContent = "";
    shown = 0;
    showTo(BATCH);
    fill();
  };

  data.runs.forEach((name, run) => {
    const label = make("label"), box = make("input");
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", () => {
      if (box.checked) shownRuns.add(run); else shownRuns.delete(run);
      start();
    });
    label.append(box, sign(run), name);
    byId("runs").append(label);
  });
  if (seeds.length > 1) {
    for (const s of seeds) byId("seed").append(make("option", "", String(s)));
    byId("seed").addEventListener("change", (event) => {
      seed = seeds[event.target.selectedIndex];
      start();
    });
    byId("seeds").hidden = false;
  }
  byId("filter").addEventListener("input", start);
  byId("controls").hidden = false;
  new IntersectionObserver(fill, { rootMargin: "100% 0px" }).observe(more);
  window.addEventListener("scroll", fill, { passive: true });
  window.addEventListener("beforeprint", () => {
    showTo(PRINTED);
    if (shown < found.length) {
      more.textContent = "Printed: the first " + shown + " of " + found.length + " prompts.";
    }
  });
  window.addEventListener("afterprint", says);

  const copy = async (text, from) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {  // not allowed from a file in some browsers
      getSelection().selectAllChildren(from);
      return document.execCommand("copy");
    }
  };
  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const from = byId(button.dataset.of);
      button.textContent = (await copy(from.textContent, from)) ? "Copied" : "Selected";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }
  start();
})();
