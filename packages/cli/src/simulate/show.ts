// A fleet's figures as a table, as one line, and as a table that is drawn over itself.
import { table } from '../text/wrap.ts';
import type { Figures } from './tally.ts';

const number = (value: number): string => Math.round(value).toLocaleString('en');
const ms = (value: number): string => (value < 10 ? value.toFixed(1) : number(value));

function counts(map: { readonly [key: string]: number }): string {
  const entries = Object.entries(map).sort(([, a], [, b]) => b - a);
  return entries.length === 0 ? '0' : entries.map(([key, count]) => `${key} ${number(count)}`).join(', ');
}

const sum = (map: { readonly [key: string]: number }): number => Object.values(map).reduce((all, one) => all + one, 0);

/** The whole table. */
export function showTable(figures: Figures, columns: number): string {
  const { devices, enrolled, failed, sessions, commands, requests, problems, seconds, ended } = figures;
  const state =
    ended === undefined ? 'running' : { done: 'done', time: 'the time is over', interrupted: 'interrupted' }[ended];
  const rows = [
    ['enrolled', `${number(enrolled)} of ${number(devices)}${failed === 0 ? '' : `, ${number(failed)} failed`}`],
    ['sessions', counts(sessions)],
    ['commands', counts(commands)],
  ];
  const summary = table([`${seconds.toFixed(0)} s`, state], rows, columns, [20]);
  const times = Object.entries(requests).map(([kind, { count, p50, p95, max }]) => [
    kind,
    number(count),
    ms(p50),
    ms(p95),
    `${ms(max)} ms`,
  ]);
  const latencies =
    times.length === 0
      ? ''
      : `\n\n${table(['request', 'count', 'p50', 'p95', 'longest'], times, columns, [20, 12, 8, 8])}`;
  const reasons = Object.entries(problems)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 5)
    .map(([reason, count]) => [number(count), reason]);
  return summary + latencies + (reasons.length === 0 ? '' : `\n\n${table(['problems', ''], reasons, columns, [12])}`);
}

/** One line, for logs. */
export function showLine(figures: Figures): string {
  const { devices, enrolled, failed, sessions, commands, problems, seconds } = figures;
  const parts = [
    `${seconds.toFixed(0)} s`,
    `enrolled ${enrolled}/${devices}`,
    ...(failed === 0 ? [] : [`failed ${failed}`]),
    `sessions ${sum(sessions)}`,
    `commands ${sum(commands)}`,
    ...(sum(problems) === 0 ? [] : [`problems ${sum(problems)}`]),
  ];
  return parts.join('  ');
}

/** Draws over what was drawn before: up to its first line, clear to the end of the screen, write. */
export function createLiveTable(write: (text: string) => void): (text: string) => void {
  let lines = 0;
  return (text) => {
    write(`${lines === 0 ? '' : `\u001b[${lines}A\u001b[J`}${text}\n`);
    lines = text.split('\n').length;
  };
}
