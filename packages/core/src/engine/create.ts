// createEngine: puts the services together.
import { randomBytes } from 'node:crypto';
import { catalogue } from '@espalier/search/catalogue';
import { createActions } from '../actions/run.ts';
import { createAde } from '../ade/index.ts';
import { createAdeReconciler } from '../ade/reconcile.ts';
import type { Engine } from '../api/engine.ts';
import { createIssue } from '../credentials/issue.ts';
import { createCredentials } from '../credentials/service.ts';
import { CREDENTIAL_SOURCE, createCredentialWork } from '../credentials/work.ts';
import { createDeclarationEngine } from '../declarations/index.ts';
import { createVault } from '../keys/vault.ts';
import { createMdmProfiles } from '../mdm-profile/service.ts';
import { createMetrics } from '../metrics/registry.ts';
import { measureStore } from '../metrics/store.ts';
import { createMigration } from '../migration/service.ts';
import { createStoredPusher } from '../push-certificates/pusher.ts';
import { createPushCertificates } from '../push-certificates/service.ts';
import { createPushCertificateWatch, measurePushCertificate } from '../push-certificates/watch.ts';
import { createEscrow } from '../recipes/escrow.ts';
import { createRecipes } from '../recipes/run.ts';
import { createUserEnrolments } from '../user-enrolment/service.ts';
import { createEventBus } from './bus.ts';
import { createCertificates } from './certificates.ts';
import { createCheckIns } from './check-ins.ts';
import { createCommands } from './commands.ts';
import { createConfigurationRenewals } from './configuration-renewal.ts';
import { createConfigurations } from './configurations.ts';
import { type Context, pageOf } from './context.ts';
import { createDevices } from './devices.ts';
import { createDoor } from './door.ts';
import { createDoorLog } from './door-log.ts';
import { createEffects } from './effects.ts';
import { createEnrolling } from './enrolling.ts';
import { createFactIndex, withFactRows } from './fact-index.ts';
import { STATUS_TOKENS } from './facts.ts';
import { createHousekeeping } from './housekeeping.ts';
import { createInstruments, measureQueue } from './instruments.ts';
import { createIssuerCheck } from './issuer-check.ts';
import { createIssuerRevocation } from './issuer-revocation.ts';
import { createLabels } from './labels.ts';
import { createLapse } from './lapse.ts';
import { createLateBinder } from './late.ts';
import { createLocationRetention, createLocations } from './locations.ts';
import { createLoop, type Loop } from './loops.ts';
import { createMatcher } from './matching.ts';
import { createNotifier } from './notifier.ts';
import { type EngineInput, engineDefaults, silentLogger } from './options.ts';
import { createProtocol } from './protocol.ts';
import { createReconciler } from './reconciler.ts';
import { createRegistrations } from './registrations.ts';
import { createRenewals } from './renewal.ts';
import { createRotation } from './rotation.ts';
import { createSearching } from './searching.ts';

/** How old an unapplied result must be to be taken for left behind, and not for under way. */
const LEFT_BEHIND_MS = 30_000;

/**
 * Makes an engine over a store. It does nothing by itself until `start`; requests can be served before.
 *
 * @example
 * const engine = createEngine({ store: createMemoryStore(), keys: createKeyRing({ current: { id: 'k1', key } }) });
 * await engine.ready();
 * engine.start();
 */
export function createEngine(input: EngineInput): Engine {
  const { keys, push, compile, signProfile } = input;
  const fields = input.catalogue ?? catalogue;
  const clock = input.clock ?? { now: () => Date.now() };
  const random = input.random ?? ((length: number) => randomBytes(length));
  const logger = input.logger ?? silentLogger;
  const options = { ...engineDefaults, ...input.options };
  const metrics = input.metrics ?? createMetrics();
  const store = withFactRows(measureStore(input.store, metrics), fields);
  const meters = createInstruments(metrics);
  measureQueue(metrics, store, clock, logger);
  const vault = createVault(store, keys, random);
  const bus = createEventBus(store.events, logger);
  const matcher = createMatcher(fields);
  const index = createFactIndex(store, fields);
  const loops: { notifier?: Loop; reconciler?: Loop; declarations?: Loop } = {};
  const context: Context = {
    store,
    vault,
    clock,
    random,
    logger,
    options,
    hooks: input.hooks ?? {},
    ...rightsOf(input.accessRights),
    ...(input.escrowIdentity === undefined ? {} : { escrowIdentity: input.escrowIdentity }),
    ...(input.declareSoftwareUpdate === undefined ? {} : { declareSoftwareUpdate: input.declareSoftwareUpdate }),
    tellsIssuer: input.issuerRevoke !== undefined,
    bus,
    door: { pass: (caller, identity, step, pass) => door.pass(caller, identity, step, pass) },
    meters,
    matcher,
    searching: createSearching(store, clock, matcher, index),
    async topics() {
      if (input.topics !== undefined) return input.topics;
      const topic = (await pushCertificates.get())?.topic;
      return topic === undefined ? [] : [topic];
    },
    doorLog: createDoorLog(store, bus, clock, logger, options.refusalsPerHour),
    async factsChanged(id, tokens) {
      if (tokens.length > 0) await labels.evaluateDevices([id], tokens, 'inventory');
    },
    async commandsEnded(ended) {
      for (const { enrolmentId, commandUuid, followUp } of ended) {
        if (followUp) await effects.apply(enrolmentId, commandUuid);
      }
    },
    ended: (id) => credentialWork.ended(id),
    async statusChanged(ids) {
      await labels.evaluateDevices(ids, STATUS_TOKENS, 'status');
    },
    kick: {
      notifier: () => loops.notifier?.kick(),
      reconciler() {
        loops.reconciler?.kick();
        loops.declarations?.kick();
      },
    },
  };
  const labels = createLabels(context);
  const registrations = createRegistrations(context);
  const ade = createAdeReconciler(context, labels, registrations);
  const effects = createEffects(context, labels);
  const { issueIdentity } = input;
  const issue = issueIdentity === undefined ? undefined : createIssue(context, issueIdentity);
  const credentialWork = createCredentialWork(context, issue);
  const sources = new Map([...Object.entries(input.late ?? {}), [CREDENTIAL_SOURCE, credentialWork.source] as const]);
  const late = createLateBinder(context, sources, signProfile);
  const reconciler = createReconciler(context, compile, signProfile, credentialWork);
  const pushCertificates = createPushCertificates(context);
  measurePushCertificate(metrics, context, pushCertificates);
  const watchPushCertificate = createPushCertificateWatch(context, pushCertificates);
  const stored = input.openPush && createStoredPusher(context, pushCertificates, input.openPush);
  const notifier = createNotifier(context, push ?? stored);
  const renewals = createRenewals(context, input.renewal);
  const certificates = createCertificates(context, renewals);
  const mdmProfile = createMdmProfiles(context, renewals);
  const checkIns = createCheckIns(context);
  const door = createDoor(context, renewals);
  const declarations = createDeclarationEngine(context, labels);
  const forgetLocations = createLocationRetention(context);
  const retireLapsed = createLapse(context);
  const renewConfigured = createConfigurationRenewals(context);
  const tellIssuers = createIssuerRevocation(context, input.issuerRevoke);
  const checkIssuers = createIssuerCheck(context, input.issuerStatus);
  const housekeeping = createHousekeeping(context, effects, labels, index, renewals, async () => {
    await credentialWork.upkeep();
    await renewConfigured();
    await retireLapsed();
    await tellIssuers();
    await checkIssuers();
    await declarations.keepHouse();
    await watchPushCertificate();
    await forgetLocations();
    await mdmProfile.run();
    await checkIns();
  });

  // The pace: each interval earns its share of pushes, at most one second's worth at once.
  const { pushesPerSecond, notifierIntervalMs } = options;
  let earned = pushesPerSecond;
  let earnedAt = clock.now();
  async function pacedPushes(): Promise<void> {
    const now = clock.now();
    earned = Math.min(pushesPerSecond, earned + ((now - earnedAt) / 1000) * pushesPerSecond);
    earnedAt = now;
    if (earned >= 1) earned -= await notifier.run(Math.floor(earned));
  }
  async function reconcile(): Promise<void> {
    const seconds = metrics.time();
    const devices = await reconciler.run();
    if (devices === 0) return;
    meters.reconciled.add({}, devices);
    meters.reconcileDuration.record(seconds());
  }
  const loop = (name: string, intervalMs: number, job: () => Promise<unknown>): Loop =>
    createLoop(name, intervalMs, () => meters.job(name, job), logger);
  const notifierLoop = loop('notifier', notifierIntervalMs, pacedPushes);
  const reconcilerLoop = loop('reconciler', options.reconcilerIntervalMs, reconcile);
  const declarationLoop = loop('declarations', options.declarationIntervalMs, declarations.run);
  let keptHouse = false;
  const housekeepingLoop = loop('housekeeping', options.housekeepingIntervalMs, () => {
    // The first time, everything unapplied is from before this process.
    const leftBehindMs = keptHouse ? LEFT_BEHIND_MS : 0;
    keptHouse = true;
    return housekeeping.run(leftBehindMs);
  });
  const labelLoop = loop('labels', options.labelIntervalMs, () => labels.evaluation.due());
  loops.notifier = notifierLoop;
  loops.reconciler = reconcilerLoop;
  loops.declarations = declarationLoop;
  const rotation = createRotation(context, keys);
  const all = [notifierLoop, reconcilerLoop, declarationLoop, housekeepingLoop, labelLoop];
  // Without earlier keys there is nothing that could be sealed anew.
  if (keys.ids.length > 1) all.push(loop('key-rotation', options.rewrapIntervalMs, () => rotation.run()));

  return {
    protocol: meters.protocol(createProtocol(context, labels, effects, renewals, declarations, ade, late)),
    commands: createCommands(context),
    devices: createDevices(context, labels),
    recipes: createRecipes(context),
    actions: createActions(context),
    escrow: createEscrow(context),
    locations: createLocations(context),
    labels,
    configurations: createConfigurations(context),
    declarations: declarations.service,
    ade: createAde(context, ade),
    enrolling: createEnrolling(context, certificates, registrations),
    registrations,
    certificates,
    credentials: createCredentials(context),
    pushCertificates,
    mdmProfile,
    userEnrolments: createUserEnrolments(context, pushCertificates, push !== undefined),
    migration: createMigration(context, labels, ade),
    events: {
      list: ({ enrolmentId, type, order = 'newest', ...page } = {}) =>
        store.events.list(
          { order, ...(enrolmentId === undefined ? {} : { enrolmentId }), ...(type === undefined ? {} : { type }) },
          pageOf(page),
        ),
      subscribe: (listener) => bus.subscribe(listener),
    },
    clock,
    metrics,
    ready: () => vault.ready(),
    rewrap: () => rotation.all(),
    start() {
      for (const loop of all) loop.start();
    },
    async tick() {
      await housekeeping.run(0);
      await labels.evaluation.due();
      await reconcile();
      await declarations.run();
      await notifier.run(Number.POSITIVE_INFINITY);
      await rotation.run();
      await bus.flush();
    },
    async stop() {
      for (const loop of all) await loop.stop();
      await stored?.close();
      await bus.flush();
    },
  };
}

function rightsOf(rights: EngineInput['accessRights']): Pick<Context, 'accessRights'> {
  if (rights === undefined) return {};
  return { accessRights: typeof rights === 'number' ? () => rights : rights };
}
