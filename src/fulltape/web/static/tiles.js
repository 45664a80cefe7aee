// What the map of coverage knows of bytes and pixels, without any state.
export const WORDS = {
  not_wanted: "not wanted", green: "GREEN", empty: "confirmed empty", unchecked: "held, not checked", amber: "AMBER",
  unknown_listing: "unknown listing", unobtainable: "no vendor has it", partial: "there in part", missing: "missing", red: "RED",
};

export function bytesOf(buffer, of, one) {
  const bytes = new Uint8Array(buffer);
  if (bytes.length !== of.instruments.length * one.columns.length) throw new Error(`The tile ${one.name} is not whole.`);
  return bytes;
}

// Rows of the tiles in the order in which they are shown; `monthly` are the bytes of the months.
export function ranked(index, how, monthly) {
  const rows = index.instruments.map((_, row) => row);
  if (how === "name") rows.sort((a, b) => index.instruments[a].localeCompare(index.instruments[b]));
  if (how !== "worst" || !monthly) return rows;
  const width = index.tiles[0].columns.length, states = index.states.length, bad = index.states.indexOf("unchecked");
  // A worse state counts for more than any number of months of a better one.
  const score = rows.map((row) => {
    const many = new Array(states).fill(0);
    for (let at = row * width; at < (row + 1) * width; at += 1) many[monthly[at]] += 1;
    return many;
  });
  return rows.sort((a, b) => {
    for (let state = states - 1; state >= bad; state -= 1) if (score[a][state] !== score[b][state]) return score[b][state] - score[a][state];
    return a - b;
  });
}

// The worst state of what falls on a pixel is drawn there: one bad month of sixty years is to be seen.
export function strip(pen, colours, group, line, place) {
  const { x: seen, pixel, left, width: stop, y, thick } = place, worst = new Uint8Array(Math.ceil(stop));
  for (let column = 0; column < group.many; column += 1) {
    const from = ((group.columns ? group.columns[column].start : group.start + column) - seen) * pixel;
    const to = ((group.columns ? group.columns[column].stop : group.start + column + 1) - seen) * pixel;
    if (to <= 0 || from >= stop) continue;
    const state = group.bytes[line + column], end = Math.min(worst.length, Math.max(Math.floor(from) + 1, Math.round(to)));
    for (let x = Math.max(0, Math.round(from) < end ? Math.round(from) : Math.floor(from)); x < end; x += 1) if (state + 1 > worst[x]) worst[x] = state + 1;
  }
  let begin = 0;
  for (let x = 1; x <= worst.length; x += 1) {
    if (x < worst.length && worst[x] === worst[begin]) continue;
    if (worst[begin]) {
      pen.fillStyle = colours[worst[begin] - 1];
      pen.fillRect(left + begin, y, x - begin, thick);
    }
    begin = x;
  }
}
