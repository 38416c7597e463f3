// Values as people read them.

/** The number that a value of the data stands for: JSON has no infinity, so it comes as text. */
function numberOf(value) {
  if (typeof value === "number") return value;
  return { Infinity: Infinity, "-Infinity": -Infinity, NaN: NaN }[value] ?? null;
}

/** How a column writes its numbers: as many decimals as its largest needs for four digits. */
function writer(values) {
  const numbers = values.map(numberOf).filter((v) => v !== null && Number.isFinite(v));
  const largest = Math.max(0, ...numbers.map(Math.abs));
  if (numbers.every(Number.isInteger)) return plainly;
  if (largest < 0.001) return (value) => numberOf(value).toExponential(2);
  const decimals = largest >= 1000 ? 0 : largest >= 100 ? 1 : largest >= 10 ? 2 : largest >= 0.1 ? 3 : 4;
  return (value) => plainly(value, decimals);
}

function plainly(value, decimals) {
  const number = numberOf(value);
  if (Number.isNaN(number)) return "NaN";
  if (!Number.isFinite(number)) return number > 0 ? "∞" : "−∞";
  return (decimals === undefined ? String(number) : number.toFixed(decimals)).replace("-", "−");
}

/** Of an option: text as it is, the rest as JSON would have it. */
function written(value) {
  if (value === null) return "none";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function named(column) {
  return column.replaceAll("_", " ");
}
