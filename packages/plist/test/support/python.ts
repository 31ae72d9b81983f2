// Python's plistlib, asked about many documents at a time.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** `D`: what a document decodes to, as canonical JSON; `X` and `B`: a document from canonical JSON. */
export interface Question {
  readonly operation: 'D' | 'X' | 'B';
  readonly payload: Uint8Array | string;
}

/** Asks all in one process; answers come in the same order. */
export function askPython(questions: readonly Question[]): Buffer[] {
  const parts: Buffer[] = [];
  for (const { operation, payload } of questions) {
    const bytes = Buffer.from(payload as Uint8Array);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(bytes.length);
    head.write(operation, 4, 'latin1');
    parts.push(head, bytes);
  }
  const { status, stdout, stderr } = spawnSync('python3', [join(import.meta.dirname, 'driver.py')], {
    input: Buffer.concat(parts),
    maxBuffer: 1024 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`python failed: ${stderr.toString()}`);
  const answers: Buffer[] = [];
  for (let at = 0; at < stdout.length; ) {
    const length = stdout.readUInt32BE(at);
    answers.push(stdout.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return answers;
}
