// Declarative management, put together: the service, the check-in, the work between requests.
import type { DeclarativeManagement } from '@espalier/apple-mdm';
import type { Declarations } from '../api/declarations.ts';
import type { Context } from '../engine/context.ts';
import type { LabelService } from '../engine/labels.ts';
import { createDeclarationCheckins } from './checkin.ts';
import { createDeclarations } from './service.ts';
import { createDeclarationSyncer } from './sync.ts';

/** Declarative management as the engine holds it. */
export interface DeclarationEngine {
  readonly service: Declarations;
  /** Answers the check-in message of a sender who was let in. */
  checkin(enrolmentId: string, message: DeclarativeManagement): Promise<Uint8Array | null>;
  /** Works on all marks that are due; returns how many channels it looked at. */
  run(): Promise<number>;
  /** Asks again where nothing came, and forgets what nobody needs. */
  keepHouse(): Promise<void>;
}

const DAY = 24 * 60 * 60_000;
const BATCH = 1_000;

/** Makes it. */
export function createDeclarationEngine(context: Context, labels: LabelService): DeclarationEngine {
  const { store, clock, options } = context;
  const checkins = createDeclarationCheckins(context, labels);
  const syncer = createDeclarationSyncer(context);
  const service = createDeclarations(context, checkins, syncer);
  return {
    service,
    checkin: checkins.handle,
    run: syncer.run,
    async keepHouse() {
      const before = clock.now() - options.declarationResyncMs;
      for (;;) {
        const late = await store.declarations.outdated({ before, limit: BATCH });
        await service.ask(late);
        if (late.length < BATCH) break;
      }
      while ((await store.declarations.prune({ before: clock.now() - DAY, limit: BATCH })) >= BATCH);
    },
  };
}
