// A test of the suite: stores that break the contract on purpose, one mutant at a time, must fail it.
import { describe, expect, it } from 'vitest';
import { storeContract } from '../src/contract/index.ts';
import { createMemoryStore, type NewCommand, type Store } from '../src/index.ts';

/** Runs the suite and gives the names of the tests that failed, up to the first `most`. */
async function failures(open: () => Promise<Store>, most: number): Promise<string[]> {
  const tests: { readonly name: string; readonly run: () => Promise<void> }[] = [];
  storeContract('mutant', open, {
    describe: (_name, body) => body(),
    it: (name, run) => tests.push({ name, run }),
    expect: (actual) => expect(actual),
  });
  const failed: string[] = [];
  for (const { name, run } of tests) {
    if (failed.length >= most) break;
    try {
      await run();
    } catch {
      failed.push(name);
    }
  }
  return failed;
}

type Mutant = (store: Store) => Partial<Store>;

/** A mutant that changes each command on its way into the queue. */
const onEnqueue =
  (change: (command: NewCommand) => NewCommand): Mutant =>
  ({ queue }) => ({
    queue: { ...queue, enqueue: (input) => queue.enqueue({ ...input, commands: input.commands.map(change) }) },
  });

const mutants: Readonly<Record<string, Mutant>> = {
  'loses the dedupe key': onEnqueue((command) => ({ ...command, dedupeKey: null })),
  'always replaces': onEnqueue((command) => ({ ...command, onDuplicate: 'replace' })),
  'forgets the expiry': onEnqueue((command) => ({ ...command, expiresAt: null })),
  'forgets not-before': onEnqueue((command) => ({ ...command, notBefore: null })),
  'reorders: forgets the priority': onEnqueue((command) => ({ ...command, priority: 0 })),
  'forgets the maximum of attempts': onEnqueue((command) => ({ ...command, maxAttempts: null })),
  'forgets the chain': onEnqueue((command) => ({ ...command, chain: null })),
  'never retries': onEnqueue((command) => ({ ...command, onError: 'fail' })),
  'always wakes': onEnqueue((command) => ({ ...command, push: true })),
  'forgets follow-ups': onEnqueue((command) => ({ ...command, followUp: false })),
  'forgets that a body is sealed': onEnqueue((command) => ({ ...command, body: { ...command.body, sealed: false } })),
  'takes back what the device has': ({ queue }) => ({
    queue: { ...queue, end: ({ keepSent: _, ...input }) => queue.end(input) },
  }),
  'forgets to mark the members of a set': ({ declarations }) => ({
    declarations: {
      ...declarations,
      async changeMembers(input) {
        const outcome = await declarations.changeMembers(input);
        await declarations.clearMarks(await declarations.claimMarks({ at: input.at, leaseMs: 1, limit: 1_000 }));
        return outcome;
      },
    },
  }),
  'gives user channels what is for devices': ({ declarations }) => ({
    declarations: {
      ...declarations,
      putSet: (set, expected, at, event) => declarations.putSet({ ...set, channel: 'device' }, expected, at, event),
    },
  }),
  'takes any status report': ({ declarations }) => ({
    declarations: {
      ...declarations,
      async report(input) {
        const sync = (await declarations.syncs([input.enrolmentId])).get(input.enrolmentId);
        return declarations.report({ ...input, expectedReports: sync?.reports ?? 0 });
      },
    },
  }),
  'lets any certificate hold declarations': ({ declarations }) => ({
    declarations: { ...declarations, holders: async () => [{ enrolmentId: 'A', token: 't1' }] },
  }),
  'prunes snapshots that are in use': ({ declarations }) => {
    const gone = new Set<string>();
    return {
      declarations: {
        ...declarations,
        async prune(input) {
          gone.add('t1');
          return declarations.prune(input);
        },
        snapshot: async (token) => (gone.has(token) ? null : declarations.snapshot(token)),
      },
    };
  },
  'loses an event': ({ queue }) => ({
    queue: { ...queue, enqueue: (input) => queue.enqueue({ ...input, events: [] }) },
  }),
  'queues for the first half of a fan-out only': ({ queue }) => ({
    queue: {
      ...queue,
      enqueue: (input) => queue.enqueue({ ...input, enrolmentIds: input.enrolmentIds.slice(0, 1_000) }),
    },
  }),
  'delivers an acknowledged command again': ({ queue }) => ({
    queue: {
      ...queue,
      async poll(input) {
        const outcome = await queue.poll(input);
        if (outcome.outcome === 'ok' && outcome.result === 'stored' && input.result !== undefined) {
          const { commandUuid } = input.result;
          await queue.requeue({ enrolmentId: input.enrolmentId, commandUuid, at: input.at });
        }
        return outcome;
      },
    },
  }),
  'forgets the pin in a poll': ({ queue, enrolments }) => ({
    queue: {
      ...queue,
      async poll(input) {
        const pin = (await enrolments.get(input.enrolmentId))?.certificateFingerprint;
        return queue.poll({ ...input, certificateFingerprint: pin ?? input.certificateFingerprint });
      },
    },
  }),
  'forgets the pin at check-in': ({ enrolments }) => ({
    enrolments: {
      ...enrolments,
      async verify(input) {
        const pin = (await enrolments.get(input.id))?.certificateFingerprint;
        return enrolments.verify({ ...input, certificateFingerprint: pin ?? input.certificateFingerprint });
      },
    },
  }),
  'loses results': ({ queue }) => ({
    queue: {
      ...queue,
      poll: ({ enrolmentId, certificateFingerprint, at, backoff }) =>
        queue.poll({ enrolmentId, certificateFingerprint, at, backoff }),
    },
  }),
  'offers a not-now command again at once': ({ queue }) => ({
    queue: {
      ...queue,
      async poll(input) {
        const outcome = await queue.poll(input);
        if (outcome.outcome !== 'ok' || outcome.result !== 'deferred') return outcome;
        const { result: _, ...idle } = input;
        const again = await queue.poll(idle);
        return again.outcome === 'ok' ? { ...outcome, command: again.command } : again;
      },
    },
  }),
  'wakes after NotNow without a backoff': ({ queue }) => ({
    queue: {
      ...queue,
      poll: (input) => queue.poll({ ...input, backoff: { ...input.backoff, maxMs: input.backoff.baseMs } }),
    },
  }),
  'ends nothing in the sweep': ({ queue }) => ({ queue: { ...queue, sweep: async () => [] } }),
  'prunes what is still young': ({ queue }) => ({
    queue: { ...queue, prune: (input) => queue.prune({ ...input, before: input.before + 1e9 }) },
  }),
  'lets a challenge be used twice': ({ certificates }) => ({
    certificates: {
      ...certificates,
      async commitScep(input) {
        const { challengeHash, at } = input;
        const kept = challengeHash === null ? null : await certificates.findChallenge(challengeHash, at);
        const outcome = await certificates.commitScep(input);
        if (kept !== null) await certificates.addChallenge(kept);
        return outcome;
      },
    },
  }),
  'forgets SCEP transactions': ({ certificates }) => ({
    certificates: { ...certificates, findTransaction: async () => null },
  }),
  'forgets whom an invitation was for': ({ certificates }) => ({
    certificates: {
      ...certificates,
      commitScep: (input) =>
        certificates.commitScep({ ...input, certificate: { ...input.certificate, invitationId: null } }),
    },
  }),
  'forgets whose renewal a certificate is': ({ certificates }) => ({
    certificates: {
      ...certificates,
      register: (certificate, event) => certificates.register({ ...certificate, enrolmentId: null }, event),
    },
  }),
  'forgets what was attested': ({ certificates }) => ({
    certificates: {
      ...certificates,
      register: (certificate, event) => certificates.register({ ...certificate, attestation: null }, event),
    },
  }),
  'leaves the door open for what it revoked': ({ certificates }) => ({
    certificates: { ...certificates, revoke: async () => 'revoked' },
  }),
  'lets no renewal in': ({ enrolments }) => ({
    enrolments: { ...enrolments, adopt: async () => ({ outcome: 'refused' }) },
  }),
  'renews without end': ({ certificates }) => ({
    certificates: {
      ...certificates,
      dueForRenewal: (input) => certificates.dueForRenewal({ ...input, retryBefore: Number.MAX_SAFE_INTEGER }),
    },
  }),
  'purges what is still revoked': ({ certificates }) => ({
    certificates: { ...certificates, purge: (input) => certificates.purge({ ...input, before: input.before + 1e8 }) },
  }),
  'takes a nonce twice': ({ acme }) => ({
    acme: {
      ...acme,
      async takeNonce(nonce, at) {
        const taken = await acme.takeNonce(nonce, at);
        if (taken) await acme.addNonce(nonce, at + 1e6);
        return taken;
      },
    },
  }),
  'uses no client identifier up': ({ acme }) => ({
    acme: { ...acme, commit: (input) => acme.commit({ ...input, consumes: [] }) },
  }),
  'settles an authorization again': ({ acme }) => ({
    acme: {
      ...acme,
      async settleAuthorization(id, settlement) {
        const settled = await acme.settleAuthorization(id, settlement);
        return settled === null ? null : { ...settled, settlement };
      },
    },
  }),
  'replaces a setting that changed': ({ settings }) => ({
    settings: {
      ...settings,
      async replace(name, _expected, value) {
        await settings.set(name, value);
        return true;
      },
    },
  }),
  'claims a push twice': ({ push }) => ({ push: { ...push, claim: (input) => push.claim({ ...input, leaseMs: 0 }) } }),
  'keeps pushing a dead token': ({ push }) => ({
    push: {
      ...push,
      settle: ({ at, settlements }) =>
        push.settle({
          at,
          settlements: settlements.map((item) =>
            item.outcome === 'token-dead' ? { ...item, outcome: 'failed' } : item,
          ),
        }),
    },
  }),
  'reports membership changes that were none': ({ labels }) => ({
    labels: {
      ...labels,
      async change(input) {
        await labels.change(input);
        return input.changes;
      },
    },
  }),
  'forgets to mark devices': ({ configurations }) => ({
    configurations: { ...configurations, claimMarks: async () => [] },
  }),
  'clears marks that are newer': ({ configurations }) => ({
    configurations: {
      ...configurations,
      async clearMarks(marks) {
        const enrolmentIds = marks.map((mark) => mark.enrolmentId);
        const now = await configurations.claimMarks({ at: 1e15, leaseMs: 0, limit: 1e6, enrolmentIds });
        await configurations.clearMarks(now);
      },
    },
  }),
  'overwrites a configuration that somebody else changed': ({ configurations }) => ({
    configurations: {
      ...configurations,
      async update(configuration, expected, at, event) {
        const there = await configurations.get(configuration.id);
        return configurations.update(configuration, there?.version ?? expected, at, event);
      },
    },
  }),
  'never forgets a fact': ({ inventory }) => ({
    inventory: {
      ...inventory,
      apply: (report) => {
        const facts = Object.fromEntries(Object.entries(report.facts).filter(([, value]) => value !== null));
        return inventory.apply({ ...report, facts });
      },
    },
  }),
  'gives a lease to everybody': ({ settings }) => ({ settings: { ...settings, lease: async () => true } }),
  'overwrites a setting that is there': ({ settings }) => ({
    settings: {
      ...settings,
      async setIfAbsent(name, value) {
        await settings.set(name, value);
        return value;
      },
    },
  }),
  'reseals what changed meanwhile': ({ secrets }) => ({
    secrets: {
      ...secrets,
      async reseal(input) {
        for (let after: string | undefined; ; ) {
          const page = await secrets.sealed({ limit: 100, ...(after === undefined ? {} : { after }) });
          const same = page.items.find(({ ref }) => JSON.stringify(ref) === JSON.stringify(input.ref));
          if (same !== undefined) return secrets.reseal({ ...input, expected: same.blob });
          if (page.next === null) return false;
          after = page.next;
        }
      },
    },
  }),
};

describe('the suite finds a store that', () => {
  for (const [name, mutate] of Object.entries(mutants)) {
    it(name, async () => {
      const open = async (): Promise<Store> => {
        const store = createMemoryStore();
        return { ...store, ...mutate(store) };
      };
      expect(await failures(open, 1)).toHaveLength(1);
    });
  }

  it('does nothing wrong, as the control: none fails', async () => {
    expect(await failures(async () => createMemoryStore(), 1)).toEqual([]);
  });
});
