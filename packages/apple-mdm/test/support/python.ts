// Documents read by our codec and by Python's plistlib: the values must be the same.
import { decode } from '@espalier/plist';
import { expect, type TestContext } from 'vitest';
import { need } from '../../../../test/support/tools.ts';
import { written } from '../../../plist/test/support/canonical.ts';
import { askPython } from '../../../plist/test/support/python.ts';

export function comparesWithPython(context: TestContext, documents: readonly Uint8Array[]): void {
  need(context, 'python3');
  const answers = askPython(documents.map((payload) => ({ operation: 'D', payload })));
  expect(answers).toHaveLength(documents.length);
  for (const [index, document] of documents.entries()) {
    expect(answers[index]?.toString('utf8')).toBe(written(decode(document)));
  }
}
