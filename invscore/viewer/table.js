// The table: its rows are sorted, filtered and chosen from.

const KEYS = ["task", "image", "method"];

class Table {
  constructor(entries, onChoose) {
    this.onChoose = onChoose;
    this.entries = entries;
    const kept = KEYS.filter((key) => new Set(entries.map((e) => e[key])).size > 1 || key === "method");
    const text = kept.map((key) => ({ name: key, text: true, of: (e) => e[key], write: String }));
    this.columns = [...text, ...DATA.columns.map((name) => this.figure(name))];
    this.rows = entries.map((entry) => this.row(entry));
    this.shown = this.rows;
    this.head();
    KEYS.forEach((key) => this.filter(key));
    this.draw();
  }

  figure(name) {
    const of = (entry) => entry.figures[name] ?? null;
    const values = this.entries.map(of).filter((value) => value !== null);
    const text = values.some((value) => numberOf(value) === null);
    return { name, text, of, write: text ? String : writer(values) };
  }

  head() {
    for (const column of this.columns) {
      const cell = element("th", { scope: "col", className: column.text ? "text" : "" });
      column.cell = cell;
      const button = element("button", { type: "button", textContent: named(column.name) });
      button.addEventListener("click", () => this.sort(column));
      cell.append(button);
      part("head").append(cell);
    }
  }

  row(entry) {
    const line = element("tr", { tabIndex: -1 });
    for (const column of this.columns) {
      const value = column.of(entry);
      const textContent = value === null ? "–" : column.write(value);
      const className = [column.text && "text", value === null && "none"].filter(Boolean).join(" ");
      line.append(element("td", { textContent, className, title: column.text ? textContent : "" }));
    }
    const row = { entry, line };
    line.addEventListener("click", () => this.choose(row));
    line.addEventListener("keydown", (event) => this.key(event, row));
    return row;
  }

  /** Numbers from the largest first, then from the smallest; text the other way round. */
  sort(column) {
    const was = column.cell.getAttribute("aria-sort");
    const first = column.text ? "ascending" : "descending";
    const other = column.text ? "descending" : "ascending";
    for (const { cell } of this.columns) cell.removeAttribute("aria-sort");
    column.cell.setAttribute("aria-sort", was === first ? other : first);
    const sign = column.cell.getAttribute("aria-sort") === "ascending" ? 1 : -1;
    const key = column.text ? column.of : (entry) => numberOf(column.of(entry));
    const missing = (value) => value === null || Number.isNaN(value);
    this.rows.sort((a, b) => {
      const [one, two] = [key(a.entry), key(b.entry)];
      if (missing(one) || missing(two)) return missing(one) - missing(two);
      if (column.text) return sign * one.localeCompare(two, undefined, { numeric: true });
      return one === two ? 0 : sign * (one < two ? -1 : 1);
    });
    this.draw();
  }

  filter(key) {
    const choice = part(`filter-${key}`);
    const values = [...new Set(this.entries.map((entry) => entry[key]))];
    choice.append(element("option", { value: "", textContent: `all ${values.length}` }));
    values.forEach((value, k) => choice.append(element("option", { value: k, textContent: value })));
    choice.values = values;
    choice.closest("label").hidden = values.length < 2;
    choice.addEventListener("change", () => this.draw());
  }

  /** The rows that pass all filters, in their order. The chosen one stays chosen if it is among them. */
  draw() {
    const wanted = KEYS.map((key) => [key, part(`filter-${key}`)]).filter(([, c]) => c.value !== "");
    this.shown = this.rows.filter(({ entry }) =>
      wanted.every(([key, choice]) => entry[key] === choice.values[choice.value]),
    );
    part("rows").replaceChildren(...this.shown.map((row) => row.line));
    const [few, all] = [this.shown.length, this.rows.length];
    part("count").textContent = few === all ? `${all} rows` : `${few} of ${all} rows`;
    if (!this.shown.includes(this.chosen) && few) this.choose(this.shown[0]);
    else this.ends();
  }

  choose(row) {
    if (this.chosen) {
      this.chosen.line.removeAttribute("aria-current");
      this.chosen.line.tabIndex = -1;
    }
    this.chosen = row;
    row.line.setAttribute("aria-current", "true");
    row.line.tabIndex = 0;
    this.ends();
    this.onChoose(row.entry);
  }

  /** Go `by` rows down from the chosen one. */
  step(by) {
    const next = this.shown[this.shown.indexOf(this.chosen) + by];
    if (!next) return;
    this.choose(next);
    next.line.scrollIntoView({ block: "nearest" });
  }

  ends() {
    const place = this.shown.indexOf(this.chosen);
    part("previous").disabled = place <= 0;
    part("next").disabled = place < 0 || place === this.shown.length - 1;
  }

  key(event, row) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) {
      this.step(by);
      this.chosen.line.focus();
    } else if (event.key === "Enter" || event.key === " ") this.choose(row);
    else return;
    event.preventDefault();
  }
}
