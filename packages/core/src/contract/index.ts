// The contract suite: what any store must pass, and tools to test with.
import { acmeTests } from './acme.ts';
import { adeTests } from './ade.ts';
import { certificateTests } from './certificates.ts';
import { credentialTests } from './credentials.ts';
import { declarationTests } from './declarations.ts';
import { deviceCertificateTests } from './device-certificates.ts';
import { deviceTests } from './devices.ts';
import { enrolmentTests } from './enrolments.ts';
import { faultTests } from './faults.ts';
import { identityTests } from './identities.ts';
import { labelsDueTests } from './labels-due.ts';
import { lifecycleTests } from './lifecycle.ts';
import { logTests } from './log.ts';
import { modelTests } from './model-tests.ts';
import { pushTests } from './push.ts';
import { queueTests } from './queue.ts';
import { registrationTests } from './registrations.ts';
import { resultTests } from './results.ts';
import type { ContractRunner, OpenStore, Suite } from './runner.ts';
import { scepRequestTests } from './scep-requests.ts';

export { type Fault, type FaultPlan, faultyStore, injectedFault, type StoreCall } from './faulty.ts';
export { MODEL_IDS, ModelRun, type QueueAction, randomActions } from './model-run.ts';
export type { ContractRunner, Expectation, OpenStore, Suite } from './runner.ts';

const domains: readonly (readonly [name: string, register: (suite: Suite) => void])[] = [
  ['enrolments', enrolmentTests],
  ['phases and ends', lifecycleTests],
  ['queue', queueTests],
  ['sessions and results', resultTests],
  ['push', pushTests],
  ['certificates, invitations and secrets', identityTests],
  ['renewal, revocation and expiry', certificateTests],
  ['certificates of devices for configurations', deviceCertificateTests],
  ['SCEP requests that wait', scepRequestTests],
  ['devices that are expected', registrationTests],
  ['credentials of users and devices', credentialTests],
  ['the state of ACME', acmeTests],
  ['inventory, labels and configurations', deviceTests],
  ['label evaluation and searches', labelsDueTests],
  ['declarations', declarationTests],
  ['automated device enrolment', adeTests],
  ['events, settings and leases', logTests],
  ['the queue against a model', modelTests],
  ['an engine on a store that fails', faultTests],
];

/**
 * Registers the contract suite for a store: the same tests, in the same number, for every store.
 *
 * @param name What the tests are listed under.
 * @param open Opens a fresh, empty store; called once for each test, which closes it.
 * @param runner The test runner's functions.
 * @example
 * import { describe, expect, it } from 'vitest';
 * storeContract('my store', () => openMyStore(), { describe, it, expect });
 */
export function storeContract(name: string, open: OpenStore, { describe, it, expect }: ContractRunner): void {
  describe(`${name}: store contract`, () => {
    for (const [domain, register] of domains) {
      describe(domain, () => {
        register({
          expect,
          test(title, body) {
            it(title, async () => {
              const store = await open();
              try {
                await body(store);
              } finally {
                await store.close();
              }
            });
          },
        });
      });
    }
  });
}
