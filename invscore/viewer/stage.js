// The stage: two pictures on top of each other, a wipe between them, zoom.

const CLOSEST = 16;

class Stage {
  constructor() {
    this.frame = part("stage");
    this.handle = part("wipe");
    this.sides = {
      left: { choice: part("left"), image: part("under").firstElementChild },
      right: { choice: part("right"), image: part("over").firstElementChild },
    };
    this.views = [];
    this.at = 0.5;
    this.zoom = 1;
    this.x = this.y = 0;
    for (const side of Object.values(this.sides)) {
      side.choice.addEventListener("change", () => this.draw());
    }
    part("swap").addEventListener("click", () => {
      const { left, right } = this.sides;
      [left.choice.value, right.choice.value] = [right.choice.value, left.choice.value];
      this.draw();
    });
    part("closer").addEventListener("click", () => this.enlarge(2));
    part("closer-not").addEventListener("click", () => this.enlarge(0.5));
    this.handle.addEventListener("keydown", (event) => this.wipeKey(event));
    this.frame.addEventListener("keydown", (event) => this.zoomKey(event));
    this.frame.addEventListener("pointerdown", (event) => this.grab(event));
    this.frame.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    addEventListener("resize", () => this.place());
  }

  /** Show other `views`, the same two of them as before where they exist. */
  show(views) {
    this.views = views;
    const keys = views.map((view) => view.key);
    const usual = { left: ["measurement"], right: ["reconstruction", "truth"] };
    for (const [name, { choice }] of Object.entries(this.sides)) {
      const wanted = [choice.value, ...usual[name], ...keys].find((key) => keys.includes(key));
      choice.replaceChildren(
        ...views.map((view) => element("option", { value: view.key, textContent: view.label })),
      );
      choice.value = wanted ?? "";
    }
    this.draw();
  }

  put(key) {
    this.sides.right.choice.value = key;
    this.draw();
  }

  async draw() {
    const drawing = (this.drawing = Symbol()); // an older one that takes longer must not win
    await Promise.all(
      Object.values(this.sides).map(async ({ choice, image }) => {
        const view = this.views.find((one) => one.key === choice.value);
        const url = await view?.url;
        if (drawing !== this.drawing || !url) return;
        image.alt = view.label;
        image.src = url;
        await image.decode().catch(() => {}); // another one has taken its place
      }),
    );
    if (drawing !== this.drawing) return;
    this.shape();
    this.place();
    this.frame.dispatchEvent(new Event("drawn"));
  }

  /** The proportions of the first picture that is none of the measurement, enlarged measurement else. */
  shape() {
    const images = Object.values(this.sides).filter(({ image }) => image.naturalWidth);
    const first = images.find(({ choice }) => choice.value !== "measurement") ?? images[0];
    if (!first) return;
    const { naturalWidth: wide, naturalHeight: high } = first.image;
    this.frame.style.aspectRatio = `${wide} / ${high}`;
    this.frame.style.maxWidth = `calc(82vh * ${wide / high})`;
    part("extent").textContent = images
      .map(({ image }) => `${image.naturalWidth} × ${image.naturalHeight}`)
      .filter((size, k, all) => all.indexOf(size) === k)
      .join(" | ");
  }

  wipe(at) {
    this.at = Math.min(1, Math.max(0, at));
    this.place();
  }

  /** Enlarge by a factor; what is at `point`, in pixels of the frame, stays there. */
  enlarge(factor, point) {
    const { clientWidth: wide, clientHeight: high } = this.frame;
    const { x, y } = point ?? { x: wide / 2, y: high / 2 };
    const zoom = Math.min(CLOSEST, Math.max(1, this.zoom * factor));
    this.x = x - (zoom / this.zoom) * (x - this.x);
    this.y = y - (zoom / this.zoom) * (y - this.y);
    this.zoom = zoom;
    this.place();
  }

  place() {
    const { clientWidth: wide, clientHeight: high, style } = this.frame;
    const inside = (offset, length) => Math.min(0, Math.max(length * (1 - this.zoom), offset));
    this.x = inside(this.x, wide);
    this.y = inside(this.y, high);
    style.setProperty("--at", this.at);
    style.setProperty("--zoom", this.zoom);
    style.setProperty("--x", `${this.x}px`);
    style.setProperty("--y", `${this.y}px`);
    this.frame.classList.toggle("enlarged", this.zoom > 1);
    const [left, right] = Object.values(this.sides).map(({ choice }) => choice.selectedOptions[0]);
    const share = Math.round(100 * this.at);
    this.handle.setAttribute("aria-valuenow", share);
    if (left && right) {
      const text = `${share} % ${left.textContent}, ${100 - share} % ${right.textContent}`;
      this.handle.setAttribute("aria-valuetext", text);
    }
    part("zoom").textContent = `${Math.round(10 * this.zoom) / 10}×`;
    part("closer").disabled = this.zoom >= CLOSEST;
    part("closer-not").disabled = this.zoom <= 1;
  }

  /** Drag the wipe, or what is enlarged. */
  grab(event) {
    if (event.button) return;
    const frame = this.frame.getBoundingClientRect();
    const pan = this.zoom > 1 && event.target !== this.handle;
    let last = event;
    const move = (now) => {
      if (pan) {
        this.x += now.clientX - last.clientX;
        this.y += now.clientY - last.clientY;
        this.place();
      } else this.wipe((now.clientX - frame.left) / frame.width);
      last = now;
    };
    const end = () => {
      this.frame.removeEventListener("pointermove", move);
      this.frame.removeEventListener("pointerup", end);
      this.frame.removeEventListener("pointercancel", end);
    };
    this.frame.setPointerCapture(event.pointerId);
    this.frame.addEventListener("pointermove", move);
    this.frame.addEventListener("pointerup", end);
    this.frame.addEventListener("pointercancel", end);
    if (!pan) {
      move(event);
      this.handle.focus({ preventScroll: true });
    }
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return; // a pinch, or meant for the page
    event.preventDefault();
    const frame = this.frame.getBoundingClientRect();
    const point = { x: event.clientX - frame.left, y: event.clientY - frame.top };
    this.enlarge(Math.exp(-event.deltaY / 200), point);
  }

  wipeKey(event) {
    const by = event.shiftKey ? 0.1 : 0.01;
    const to = {
      ArrowLeft: this.at - by, ArrowDown: this.at - by, ArrowRight: this.at + by, ArrowUp: this.at + by,
      PageDown: this.at - 0.1, PageUp: this.at + 0.1, Home: 0, End: 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.wipe(to);
  }

  zoomKey(event) {
    const factor = { "+": 2, "=": 2, "-": 0.5, 0: 0 }[event.key];
    const by = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (event.ctrlKey || event.metaKey) return;
    if (factor !== undefined) this.enlarge(factor);
    else if (by && this.zoom > 1) {
      this.x += 40 * by[0];
      this.y += 40 * by[1];
      this.place();
    } else return;
    event.preventDefault();
  }
}
