// Compiles a configuration about certificates: a profile whose identities are filled in when a device takes it.
import { type Target, validate } from '@espalier/apple-mdm';
import type { CompiledConfiguration, DroppedSetting, LateSetting, PolicyConfiguration } from '../compile.ts';
import { consumersFor } from '../consumers.ts';
import { buildLinkedProfile, type NamedPayload } from '../credentials/references.ts';
import type { CredentialConfigurationType } from './types.ts';

/** What the profile is called. */
interface Head {
  readonly identifier: string;
  readonly organisation?: string;
}

/** @throws PolicyError as the type's `build`. */
export function compileDocument(
  type: CredentialConfigurationType,
  configuration: PolicyConfiguration,
  target: Target,
  head: Head,
): CompiledConfiguration {
  const dropped: DroppedSetting[] = [];
  const payloads: NamedPayload[] = [];
  const late: LateSetting[] = [];
  for (const { payload, late: source, optional } of type.build(configuration.settings)) {
    const reason = against(payload, target);
    if (reason !== undefined && optional !== true) return { applicable: false, reason, dropped };
    if (reason !== undefined) {
      dropped.push({ key: payload.type, reason });
      continue;
    }
    if (source !== undefined) {
      const revision = String(configuration.version ?? 0);
      late.push({ payload: payloads.length, source, reference: configuration.id, revision });
    }
    payloads.push(payload);
  }
  const { payloads: uses = [] } = type.consumers?.(configuration.settings) ?? {};
  const consumers = consumersFor(uses, target, dropped);
  if (uses.length > 0 && consumers.length === 0) {
    return { applicable: false, reason: dropped.at(-1)?.reason ?? 'the device takes none of the payloads', dropped };
  }
  const { name, description } = configuration;
  const { identifier, uuid, bytes } = buildLinkedProfile({
    ...head,
    displayName: name,
    ...(description ? { description } : {}),
    payloads: [...payloads, ...consumers],
  });
  return {
    ...{
      applicable: true,
      profile: { identifier, uuid, displayName: name, bytes },
      verifiable: true,
      dropped,
      implied: [],
    },
    ...(late.length === 0 ? {} : { late }),
  };
}

/** Why the target has no such payload. */
export function against({ type, content }: NamedPayload, target: Target): string | undefined {
  const common = {
    PayloadIdentifier: 'payload',
    PayloadUUID: '00000000-0000-4000-8000-000000000000',
    PayloadVersion: 1,
  };
  const issues = validate('payload', { ...content, ...common, PayloadType: type }, target);
  return issues.find(
    ({ code, path }) =>
      code.startsWith('target.') && code !== 'target.deprecated' && (path === '/' || path === '/PayloadType'),
  )?.message;
}
