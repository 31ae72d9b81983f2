// Levels in, files out: the one function that both writing and checking use.
import { writeFacts } from './facts.ts';
import { writeProvenance } from './provenance.ts';
import { readLevels } from './read.ts';
import { writeTypes } from './types.ts';

/** File name -> text of every generated file, for the given level folders (oldest first). */
export function generate(folders: readonly string[]): Map<string, string> {
  const catalogue = readLevels(folders);
  return new Map([...writeTypes(catalogue), ...writeFacts(catalogue), ['provenance.json', writeProvenance(catalogue)]]);
}
