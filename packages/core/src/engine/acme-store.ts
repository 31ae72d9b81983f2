// ACME over the store: the engine's clock, hashed client identifiers, and issued certificates in the register.
import type { AcmeAuthorization, AcmeGrant, AcmeIdentifier, AcmeOrder, AcmeSettlement, AcmeStore } from '@espalier/pki';
import type { AttestationRecord } from '../api/records.ts';
import type {
  AcmeAuthorizationRecord,
  AcmeIdentifierRecord,
  AcmeOrderRecord,
  AcmeSettlementRecord,
} from '../contracts/acme.ts';
import type { Context } from './context.ts';
import { revokeCertificate } from './issuer-revocation.ts';
import { bindingOf, configurationOf, issuedEvent, referenceOf, registerEntry } from './issuing.ts';

/** What is sealed of an order: the identifiers alone, until it waits. */
type Sealed = Pick<AcmeOrder, 'identifiers' | 'heldCsr'>;

const PERMANENT_IDENTIFIER = 'permanent-identifier';

/** The keyed hash by which a client identifier is found. */
export function identifierHash({ vault }: Context, { type, value }: AcmeIdentifier): Promise<string> {
  return vault.hash('acme-identifier', JSON.stringify([type, value]));
}

/** Keeps a client identifier, as its hash. */
export async function addClientIdentifier(
  context: Context,
  value: string,
  record: Omit<AcmeIdentifierRecord, 'hash'>,
): Promise<void> {
  const hash = await identifierHash(context, { type: PERMANENT_IDENTIFIER, value });
  await context.store.acme.addIdentifier({ hash, ...record });
}

/** The store of an ACME server. */
export function createAcmeStore(context: Context): AcmeStore {
  const { store, clock, bus, vault } = context;
  const { acme, certificates } = store;

  const seal = (id: string, { identifiers, heldCsr }: Sealed): Uint8Array =>
    vault.seal(JSON.stringify(heldCsr === undefined ? identifiers : { identifiers, csr: toBase64(heldCsr) }), {
      kind: 'acme-order',
      key: [id],
    });
  function open(id: string, sealed: Uint8Array): Sealed {
    const read = JSON.parse(vault.openText(sealed, { kind: 'acme-order', key: [id] })) as
      | AcmeIdentifier[]
      | { readonly identifiers: AcmeIdentifier[]; readonly csr: string };
    if (Array.isArray(read)) return { identifiers: read };
    return { identifiers: read.identifiers, heldCsr: new Uint8Array(Buffer.from(read.csr, 'base64')) };
  }

  async function orderOf(record: AcmeOrderRecord | null): Promise<AcmeOrder | null> {
    if (record === null) return null;
    await vault.ready();
    const { sealed, ...order } = record;
    return { ...order, ...open(order.id, sealed) };
  }

  async function authorizationOf(record: AcmeAuthorizationRecord | null): Promise<AcmeAuthorization | null> {
    const order = record === null ? null : await orderOf(await acme.findOrder(record.orderId));
    const identifier = record === null ? undefined : order?.identifiers[record.index];
    // An order goes together with its authorizations.
    if (record === null || identifier === undefined) return null;
    const { index: _, settlement, ...rest } = record;
    return { ...rest, identifier, settlement: settlement === null ? null : settlementOf(settlement) };
  }

  return {
    addNonce: (nonce, expires) => acme.addNonce(nonce, expires),
    takeNonce: (nonce) => acme.takeNonce(nonce, clock.now()),
    addAccount: (account) => acme.addAccount(account),
    findAccount: (id) => acme.findAccount(id),
    findAccountByThumbprint: (thumbprint) => acme.findAccountByThumbprint(thumbprint),
    updateAccount: (id, change) => acme.updateAccount(id, change),
    changeAccountKey: (id, from, to) => acme.changeAccountKey(id, from, to),

    async findIdentifier(identifier) {
      const found = await acme.findIdentifier(await identifierHash(context, identifier), clock.now());
      return found === null ? null : { grant: grantOf(found, identifier.value), usedBy: found.usedBy };
    },

    async addOrder({ identifiers, heldCsr: _, ...order }, parts) {
      await vault.ready();
      const sealed = seal(order.id, { identifiers });
      const records = parts.map(({ identifier, settlement, ...part }) => ({
        ...part,
        index: identifiers.findIndex(({ type, value }) => type === identifier.type && value === identifier.value),
        settlement: settlement === null ? null : settlementRecord(settlement),
      }));
      await acme.addOrder({ ...order, sealed }, records);
    },
    findOrder: async (id) => orderOf(await acme.findOrder(id)),
    findOrders: async (accountId, limit) =>
      (await Promise.all((await acme.findOrders(accountId, limit)).map(orderOf))).filter((order) => order !== null),
    findAuthorization: async (id) => authorizationOf(await acme.findAuthorization(id)),
    settleAuthorization: async (id, settlement) =>
      authorizationOf(await acme.settleAuthorization(id, settlementRecord(settlement))),
    deactivateAuthorization: async (id) => authorizationOf(await acme.deactivateAuthorization(id)),

    async holdOrder(id, { csr, expires }) {
      const order = await orderOf(await acme.findOrder(id));
      if (order === null) return;
      await acme.holdOrder({ id, expires, sealed: seal(id, { identifiers: order.identifiers, heldCsr: csr }) });
    },

    async commit({ orderId, accountId, consumes, publicKeyHash, certificate, grant, attestation, attestedAt }) {
      const at = clock.now();
      const record: AttestationRecord | null =
        attestation === undefined
          ? null
          : { at: attestedAt ?? at, properties: { ...attestation.properties }, chain: attestation.chain.map(toBase64) };
      const binding = bindingOf(grant.reference);
      const entry = registerEntry(certificate, binding, at, { attestation: record });
      const hashes = await Promise.all(consumes.map((identifier) => identifierHash(context, identifier)));
      const event = issuedEvent(entry, at, binding);
      const outcome = await acme.commit({
        ...{ orderId, accountId, consumes: hashes, publicKeyHash, certificate: entry, at, event },
      });
      if (outcome.outcome === 'issued') bus.poke();
      return outcome;
    },

    async findCertificate(id) {
      const [issuance, found] = await Promise.all([acme.findIssuance(id), certificates.get(id)]);
      if (issuance === null || found === null) return null;
      const { revokedAt, revocationReason } = found;
      const revoked = revokedAt === null ? null : { at: revokedAt, reason: revocationReason ?? 'unspecified' };
      return { id, ...issuance, certificate: found.certificate, revoked };
    },

    async revokeCertificate(id, reason, at) {
      const found = await certificates.get(id);
      if (found === null) return false;
      const { serialNumber, enrolmentId } = found;
      const data = { fingerprint: id, serialNumber, reason, by: 'acme' };
      const event = { type: 'certificate.revoked', at, enrolmentId, data } as const;
      const outcome = await revokeCertificate(context, { fingerprint: id, reason, at, event });
      bus.poke();
      return outcome === 'revoked';
    },
  };
}

function grantOf({ subject, device, ...binding }: AcmeIdentifierRecord, identifier: string): AcmeGrant {
  return {
    reference: referenceOf({ ...binding, ...configurationOf(identifier) }),
    ...(subject === null ? {} : { subject }),
    ...(device === null ? {} : { device }),
  };
}

const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

function settlementRecord({ attestation, ...rest }: AcmeSettlement): AcmeSettlementRecord {
  if (attestation === undefined) return rest;
  const { chain, publicKeyHash, properties } = attestation;
  return { ...rest, attestation: { chain: chain.map(toBase64), publicKeyHash, properties: { ...properties } } };
}

function settlementOf({ attestation, ...base }: AcmeSettlementRecord): AcmeSettlement {
  if (attestation === undefined) return base;
  const chain = attestation.chain.map((text) => new Uint8Array(Buffer.from(text, 'base64')));
  return { ...base, attestation: { ...attestation, chain } };
}
