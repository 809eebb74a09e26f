// Exports lists as files: loads every page, and saves CSV or JSON Lines.

/** The rows of one request; the API's maximum. */
export const BATCH = 1000;

/** Loads batches until one is not full. `load` gets the rows so far. */
export async function loadAll(load) {
  const rows = [];
  for (;;) {
    const batch = await load(rows);
    rows.push(...batch);
    if (batch.length < BATCH) return rows;
  }
}

/** Escapes a cell. A spreadsheet would run a text that starts like a formula. */
function cell(value) {
  const text = value == null ? '' : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function toCsv(columns, rows) {
  return [columns, ...rows.map((row) => columns.map((column) => row[column]))]
    .map((cells) => `${cells.map(cell).join(',')}\r\n`).join('');
}

export function toJsonLines(rows) {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

/** Saves a file in the browser's downloads. */
export function save(name, content) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content]));
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  // The download has begun long before.
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
