// One cell and what is behind it, as elements of the page; everything that comes from outside is set as text.

/** An element with a class, text or children. */
export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Satoshis as native units, exactly. */
export function native(satoshis) {
  const digits = String(Math.abs(satoshis)).padStart(9, "0");
  const fraction = digits.slice(-8).replace(/0+$/, "");
  return (satoshis < 0 ? "-" : "") + digits.slice(0, -8) + (fraction ? "." + fraction : "");
}

/** The answer of /explain. */
export function explanation(cell) {
  const amount = (value) => (isAmount(cell) ? native(value) : String(value));
  const box = document.createDocumentFragment();
  const shown = cell.transactions.length || cell.blocks.length;
  box.append(make("p", "", make("strong", "", `${cell.metric} on ${cell.day}: ${cell.published ?? "no value"}`)));
  box.append(make("p", "quiet", `${cell.definition} ${cell.number} in all`
    + (shown < cell.number ? `, the ${shown} largest shown.` : ".")
    + (cell.before === null ? "" : ` The day before: ${amount(cell.before)}; change: ${amount(cell.change)}.`)));
  for (const warning of cell.warnings) box.append(make("p", "wrong", warning));
  for (const part of cell.transactions) box.append(transaction(part, amount));
  if (cell.blocks.length) box.append(blocks(cell.blocks, amount));
  if (cell.joined.length) box.append(joined(cell, amount));
  return box;
}

function isAmount(cell) {
  return !/(Cnt|Byte)$/.test(cell.metric);
}

/** Accounts that became members that day, with what they held before it. */
function joined(cell, amount) {
  const box = make("div", "", make("h3", "", `Joined or left, ${cell.joined_number} in all`));
  for (const part of cell.joined) {
    box.append(make("div", "party", make("strong", "", amount(part.adds)), make("br"), make("code", "", part.address),
      make("div", "quiet", part.reasons.map(reason).join("; "))));
  }
  return box;
}

function transaction(part, amount) {
  const details = make("details", "part");
  details.append(make("summary", "", make("strong", "", amount(part.adds)), ` in block ${part.height}, `,
    make("code", "", part.txid)));
  const sides = make("div", "sides");
  sides.append(side("Spent by", part.debits), side("Paid to", part.credits));
  details.append(sides);
  return details;
}

function side(title, parties) {
  const box = make("div", "", make("h3", "", title));
  for (const party of parties) {
    const said = party.reasons.map(reason).join("; ");
    box.append(make("div", `party ${party.role}`, make("strong", "", native(party.value)),
      party.role ? ` ${party.role}` : "", make("br"), make("code", "", party.address),
      party.to_key ? " its key directly" : "",
      said ? make("div", "quiet", said) : ""));
  }
  return box;
}

function reason({ kind, entity, category, round, height }) {
  if (kind === "label") return `labelled ${entity}${category ? ` (${category})` : ""}`;
  if (kind === "closure") return `${entity} by common input, round ${round}, block ${height}`;
  return `${entity} since a ${kind} in block ${height}`;
}

function blocks(parts, amount) {
  const table = make("table");
  table.append(row("th", ["Block", "Adds", "Hash"]));
  for (const part of parts) table.append(row("td", [part.height, amount(part.adds), part.hash]));
  return make("div", "wide", table);
}

/** A row of a table. */
export function row(tag, cells, number = () => false) {
  const line = make("tr");
  cells.forEach((cell, place) => line.append(make(tag, number(place) ? "number" : "", String(cell))));
  return line;
}
