// Status items of accounts: what the account configurations on a device have set up.
import type { DeviceState } from '../state.ts';
import { isObject } from './catalogue.ts';
import type { HeldDeclaration } from './state.ts';

type Payload = HeldDeclaration['payload'];

const server = ({ HostName: hostname, Port: port }: Payload): object => ({
  ...(typeof hostname === 'string' ? { hostname } : {}),
  ...(typeof port === 'number' ? { port } : {}),
});

const part =
  (name: string) =>
  (payload: Payload): object => {
    const { [name]: inner } = payload;
    return isObject(inner) ? server(inner) : {};
  };

const calendar = ({ CalendarURL: url }: Payload): object => (typeof url === 'string' ? { 'calendar-url': url } : {});

function list(type: string, more: (payload: Payload) => object): (state: DeviceState) => unknown {
  return (state) =>
    (state.declarative?.declarations ?? [])
      .filter((one) => one.type === `com.apple.configuration.account.${type}`)
      .map(({ identifier, payload }) => ({
        identifier,
        'declaration-identifier': identifier,
        ...(typeof payload['VisibleName'] === 'string' ? { 'visible-name': payload['VisibleName'] } : {}),
        ...more(payload),
      }));
}

/** The items, by name. */
export const accountLists: { readonly [name: string]: (state: DeviceState) => unknown } = {
  'account.list.caldav': list('caldav', server),
  'account.list.carddav': list('carddav', server),
  'account.list.exchange': list('exchange', server),
  'account.list.google': list('google', () => ({})),
  'account.list.ldap': list('ldap', server),
  'account.list.mail.incoming': list('mail', part('IncomingServer')),
  'account.list.mail.outgoing': list('mail', part('OutgoingServer')),
  'account.list.subscribed-calendar': list('subscribed-calendar', calendar),
};
