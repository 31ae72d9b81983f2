// The check-ins that ask the server for something: GetToken, ReturnToService, DeclarativeManagement.
import type { DeclarativeManagement, GetToken, ReturnToService } from '@espalier/apple-mdm';
import { encodeXml } from '@espalier/plist';
import type { DeviceIdentity } from '../api/engine.ts';
import type { DeclarationEngine } from '../declarations/index.ts';
import { CoreError } from '../errors.ts';
import { BOOTSTRAP_TOKEN } from './checkin.ts';
import type { Context } from './context.ts';
import { openSecret, senderOf } from './sender.ts';

/** A device asks for a token of a service. */
export async function getToken(context: Context, message: GetToken, identity: DeviceIdentity): Promise<Uint8Array> {
  const { store, clock, hooks } = context;
  const enrolment = await senderOf(context, message.ids, identity);
  const { tokenServiceType: service, securityToken, phoneUdid, watchUdid } = message;
  const token =
    (await hooks.getToken?.({
      enrolment,
      service,
      ...(securityToken === undefined ? {} : { securityToken }),
      ...(phoneUdid === undefined ? {} : { phoneUdid }),
      ...(watchUdid === undefined ? {} : { watchUdid }),
    })) ?? null;
  if (token === null) {
    // Apple: an unknown service type is answered 400.
    throw new CoreError('core.checkin.unknown_service', 'invalid', 'there is no token for this service', {
      at: { path: '/TokenServiceType' },
    });
  }
  const data = { service: service.slice(0, 100) };
  await store.events.append([{ type: 'enrolment.token-issued', at: clock.now(), enrolmentId: enrolment.id, data }]);
  return encodeXml({ TokenData: typeof token === 'string' ? new TextEncoder().encode(token) : token });
}

/** A device in return-to-service mode asks whether, and how. */
export async function returnToService(
  context: Context,
  message: ReturnToService,
  identity: DeviceIdentity,
): Promise<Uint8Array> {
  const { store, clock, hooks } = context;
  const enrolment = await senderOf(context, message.ids, identity);
  const answer = (await hooks.returnToService?.(enrolment)) ?? null;
  const data = { enabled: answer !== null };
  await store.events.append([
    { type: 'enrolment.return-to-service', at: clock.now(), enrolmentId: enrolment.id, data },
  ]);
  if (answer === null) return encodeXml({ ReturnToService: { Enabled: false } });
  const { wifiProfile, mdmProfile, preserveApps = true, retryEnrolment } = answer;
  const token = preserveApps ? await openSecret(context, enrolment.id, BOOTSTRAP_TOKEN) : null;
  return encodeXml({
    ReturnToService: {
      Enabled: true,
      ...(wifiProfile === undefined ? {} : { WiFiProfileData: wifiProfile }),
      ...(mdmProfile === undefined ? {} : { MDMProfileData: mdmProfile }),
      ...(token === null ? {} : { BootstrapToken: token }),
      ...(retryEnrolment === undefined ? {} : { ShouldRetryEnrollment: retryEnrolment }),
    },
  });
}

/** Declarative management: answered by a hook, where there is one, else by the engine's own service. */
export async function declarativeManagement(
  context: Context,
  declarations: DeclarationEngine,
  message: DeclarativeManagement,
  identity: DeviceIdentity,
): Promise<Uint8Array | null> {
  const enrolment = await senderOf(context, message.ids, identity);
  const { declarativeManagement: hook } = context.hooks;
  return hook === undefined ? declarations.checkin(enrolment.id, message) : hook({ enrolment, message });
}
