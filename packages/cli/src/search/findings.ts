// What is wrong with, or odd about, an expression: each remark below the stretch of text that it is about.
import type { SearchIssue } from '@espalier/search';
import { paragraph } from '../text/wrap.ts';

const INDENT = 2;

/** The line of the text that holds the offset, cut to the width, with a mark below the stretch. */
function marked(text: string, start: number, end: number, columns: number): string[] {
  const room = columns - INDENT;
  const before = text.slice(0, start).split(/\r\n|\r|\n/);
  const column = before.at(-1)!.length;
  const lineStart = start - column;
  const line = text.slice(lineStart).split(/\r\n|\r|\n/, 1)[0]!;
  // A long line is shown around the mark.
  const from = line.length <= room ? 0 : Math.max(0, Math.min(column - Math.floor(room / 3), line.length - room));
  const shown = line.slice(from, from + room).replace(/\p{Cc}/gu, ' ');
  const length = Math.max(1, Math.min(end - start, shown.length - (column - from)));
  const space = ' '.repeat(INDENT);
  return [space + shown, `${space}${' '.repeat(column - from)}${'^'.repeat(length)}`];
}

/** One remark, for a person. */
export function findingText(issue: SearchIssue, text: string, columns: number): string {
  const lines: string[] = [];
  if (issue.start !== undefined) lines.push(...marked(text, issue.start, issue.end ?? issue.start, columns));
  lines.push(paragraph(`${issue.severity}: ${issue.message} (${issue.code})`, columns, INDENT));
  if (issue.suggestion !== undefined) lines.push(paragraph(`did you mean ${issue.suggestion}`, columns, INDENT));
  const others = (issue.expected ?? []).filter((expected) => expected !== issue.suggestion);
  if (others.length > 0) lines.push(paragraph(`expected: ${others.join(', ')}`, columns, INDENT));
  return lines.join('\n');
}
