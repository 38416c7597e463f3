// One reconstruction: its pictures, samples, figures and options beside each other.

class Cell {
  constructor() {
    this.stage = new Stage();
    part("stage").addEventListener("drawn", () => this.mark());
    const stops = DATA.colours.filter((_, k) => k % 15 === 0);
    const colours = stops.map((colour) => `rgba(${colour})`).join(", ");
    part("bar").style.background = `linear-gradient(to right, ${colours})`;
  }

  show(entry) {
    const views = viewsOf(entry);
    const samples = views.filter(({ key }) => key.startsWith("sample "));
    part("method").textContent = entry.method;
    part("place").textContent = `${entry.task} · ${entry.image} · seed ${entry.seed}`;
    part("bare").hidden = views.length > 0;
    for (const child of ["choice", "stage", "tools", "album"]) part(child).hidden = !views.length;
    part("scale").hidden = !views.some(({ key }) => key === "uncertainty" || key === "error");
    part("end").textContent = `≥ ${Number(entry.scale.toPrecision(2))}`;
    part("pictures").replaceChildren(...views.filter((v) => !samples.includes(v)).map((v) => this.small(v)));
    part("samples").replaceChildren(...samples.map((view) => this.small(view)));
    part("drawn").hidden = !samples.length;
    const all = samples.length === entry.drawn;
    part("samples-title").textContent = all ? "Samples" : `${samples.length} of ${entry.drawn} samples`;
    const figure = (v) => (v === null ? "–" : numberOf(v) === null ? v : writer([v])(v));
    list("figures", entry.figures, figure, named);
    list("options", entry.options, written);
    for (const id of ["figures", "options"]) part(id).parentElement.hidden = !part(id).children.length;
    this.stage.show(views);
  }

  small({ key, label, url }) {
    const button = element("button", { type: "button", title: `${label}: to the right of the slider` });
    const image = element("img", { alt: "" });
    url.then((address) => (image.src = address));
    button.dataset.key = key;
    button.append(image, element("span", { textContent: label }));
    button.addEventListener("click", () => this.stage.put(key));
    return button;
  }

  /** Small pictures have the proportions of the stage, and that to the right of the slider a ring. */
  mark() {
    for (const button of document.querySelectorAll(".album button")) {
      button.setAttribute("aria-pressed", button.dataset.key === part("right").value);
      button.firstElementChild.style.aspectRatio = part("stage").style.aspectRatio;
    }
  }
}

/** Fill the list `id` with names and values. */
function list(id, content, write, call = String) {
  const lines = Object.entries(content).map(([name, value]) => {
    const line = element("div", {});
    line.append(
      element("dt", { textContent: call(name) }),
      element("dd", { textContent: write(value) }),
    );
    return line;
  });
  part(id).replaceChildren(...lines);
}
