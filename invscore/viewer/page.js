// The whole: data, theme, and a table whose chosen row is shown.

const DATA = JSON.parse(part("data").textContent);

function part(id) {
  return document.getElementById(id);
}

function element(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}

const dark = matchMedia("(prefers-color-scheme: dark)");

/** The theme of the system until the button is pressed; what was chosen is kept where that is allowed. */
function theme() {
  const root = document.documentElement;
  const button = part("theme");
  const now = () => root.dataset.theme ?? (dark.matches ? "dark" : "light");
  const name = () => {
    const other = now() === "dark" ? "light" : "dark";
    button.textContent = other === "dark" ? "☾" : "☀";
    button.setAttribute("aria-label", `Switch to ${other}`);
  };
  const stored = (action) => {
    try {
      return action(localStorage);
    } catch {
      return null; // storage is switched off: the choice lasts as long as the page
    }
  };
  const kept = stored((storage) => storage.getItem("theme"));
  if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  button.addEventListener("click", () => {
    root.dataset.theme = now() === "dark" ? "light" : "dark";
    stored((storage) => storage.setItem("theme", root.dataset.theme));
    name();
  });
  dark.addEventListener("change", name);
  name();
}

theme();
list("facts", DATA.facts, String);
const several = DATA.entries.length > 1;
document.querySelector("main").classList.toggle("several", several);
part("results").hidden = part("steps").hidden = !several;
const cell = new Cell();
const table = new Table(DATA.entries, (entry) => cell.show(entry));
part("previous").addEventListener("click", () => table.step(-1));
part("next").addEventListener("click", () => table.step(1));
