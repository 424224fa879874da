/** What was probably meant: the one of `names` that is at most two typing mistakes away. */
export function closestName(name: string, names: readonly string[]): string | undefined {
  const most = Math.min(2, Math.floor(name.length / 2));
  const [closest] = names
    .filter((candidate) => Math.abs(candidate.length - name.length) <= most)
    .map((candidate) => ({ candidate, mistakes: mistakes(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter((scored) => scored.mistakes <= most)
    .toSorted((a, b) => a.mistakes - b.mistakes);
  return closest?.candidate;
}

/** Levenshtein: letters to change, to add or to take away. */
function mistakes(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let line = 1; line <= a.length; line++) {
    const above = row;
    row = [line];
    for (let column = 1; column <= b.length; column++) {
      const changed = above[column - 1]! + (a[line - 1] === b[column - 1] ? 0 : 1);
      row.push(Math.min(changed, above[column]! + 1, row[column - 1]! + 1));
    }
  }
  return row[b.length]!;
}
