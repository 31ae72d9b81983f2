// Compares what the generator would write with what is committed, and says in a few lines where they differ.

function lines(text: string): Set<string> {
  return new Set(text.split('\n'));
}

/** Item and key names tell more than line numbers: the start of a line holds the name. */
function shorten(line: string): string {
  return line.length > 100 ? `${line.slice(0, 100)}…` : line;
}

function compare(name: string, committed: string, expected: string): string[] {
  const [have, want] = [lines(committed), lines(expected)];
  const missing = [...want].filter((line) => !have.has(line));
  const extra = [...have].filter((line) => !want.has(line));
  const report = [`${name}: ${missing.length} lines missing or changed, ${extra.length} lines too many`];
  for (const line of missing.slice(0, 3)) report.push(`  + ${shorten(line)}`);
  for (const line of extra.slice(0, 3)) report.push(`  - ${shorten(line)}`);
  return report;
}

/** Lines that tell the differences; none when both are equal. `committed` may lack files. */
export function differences(committed: ReadonlyMap<string, string>, expected: ReadonlyMap<string, string>): string[] {
  const report: string[] = [];
  for (const [name, text] of expected) {
    const have = committed.get(name);
    if (have === undefined) report.push(`${name}: missing`);
    else if (have !== text) report.push(...compare(name, have, text));
  }
  for (const name of committed.keys()) if (!expected.has(name)) report.push(`${name}: not written by the generator`);
  return report;
}
