// Where the facts came from: the levels read (counts, a hash of every file) and what the catalogue holds of each kind.
import { schemaKinds } from '../../packages/apple-mdm/src/schema/model.ts';
import type { Catalogue, LevelProvenance } from './read.ts';

export interface Provenance {
  /** Levels, oldest first: each lies on top of the one before. */
  levels: LevelProvenance[];
  /** SHA-256 of the combination rules. */
  rules: string;
  /** Items in the catalogue, by kind. */
  catalogue: Record<string, number>;
}

export function writeProvenance(catalogue: Catalogue): string {
  const counts = schemaKinds.map((kind) => [kind, catalogue.items.filter((item) => item.kind === kind).length]);
  const provenance: Provenance = {
    levels: catalogue.levels,
    rules: catalogue.rules,
    catalogue: Object.fromEntries(counts),
  };
  return `${JSON.stringify(provenance, null, 1)}\n`;
}
