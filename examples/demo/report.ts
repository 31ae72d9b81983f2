// How the demo's findings are printed.
import type { DemoOptions } from './options.ts';
import type { DemoReport } from './phases.ts';
import type { createScreen } from './screen.ts';

/** The demo's findings as one JSON document. */
export interface DemoSummary extends DemoReport {
  readonly host: DemoOptions['host'];
  readonly devices: number;
  readonly pushes: number;
  readonly errors: number;
  readonly seconds: number;
}

/** Prints the tables. */
export function printReport(summary: DemoSummary, { line, table }: ReturnType<typeof createScreen>): void {
  line();
  table(
    ['phase', 'devices', 'requests', 'p50 ms', 'p95 ms', 'seconds'],
    summary.phases.map((phase) => [
      phase.name,
      String(phase.devices),
      String(phase.requests),
      phase.p50.toFixed(1),
      phase.p95.toFixed(1),
      phase.seconds.toFixed(1),
    ]),
    [1, 2, 3, 4, 5],
  );
  for (const search of summary.searches) {
    line();
    line(`  Search: ${search.title}`);
    line(`  ${search.expression}`);
    line();
    table(
      ['device', 'model', 'system'],
      search.devices.map((device) => [device.name, device.model, device.os]),
    );
    line(
      `  ${search.total} devices${search.total > search.devices.length ? `, the first ${search.devices.length} shown` : ''}`,
    );
  }
  line();
  table(
    ['label', 'members', 'configuration', 'applied', 'not for it', 'waiting'],
    summary.labels.map((label) => [
      label.name,
      String(label.members),
      label.configuration,
      String(label.applied),
      String(label.notApplicable),
      String(label.waiting),
    ]),
    [1, 3, 4, 5],
  );
  if (summary.lock) {
    line();
    line(`  DeviceLock to ${summary.lock.device}: ${summary.lock.state}, the device answered ${summary.lock.answer}`);
  }
  line();
  for (const problem of summary.problems.slice(0, 20)) line(`  ✗ ${problem}`);
  if (summary.problems.length > 20) line(`  … and ${summary.problems.length - 20} more`);
  const good = summary.errors === 0 && summary.desiredStateReached === summary.devices;
  line(
    `  ${good ? '✓' : '✗'} ${summary.desiredStateReached} of ${summary.devices} devices reached their desired state; ` +
      `${summary.commandsAcknowledged} commands acknowledged, ${summary.pushes} pushes, ` +
      `${summary.errors} errors, ${summary.seconds.toFixed(1)} s`,
  );
}
