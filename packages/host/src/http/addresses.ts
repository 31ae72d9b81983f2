// Which peers are trusted proxies, and whose address a request therefore has.
import { BlockList, isIP } from 'node:net';
import { HostError } from '../errors.ts';
import type { ConnectionInfo } from '../types.ts';
import type { Headed } from './message.ts';

/** Knows the trusted proxies. */
export interface ProxyList {
  has(address: string | undefined): boolean;
}

/**
 * Makes a list of addresses and networks (`10.0.0.7`, `10.1.0.0/16`, `fd00::/8`).
 * @throws HostError `host.options` for an entry that is neither.
 */
export function createProxyList(entries: readonly string[]): ProxyList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/');
    const family = isIP(address);
    const bits = prefix === undefined ? undefined : Number(prefix);
    const most = family === 4 ? 32 : 128;
    if (family === 0 || (bits !== undefined && !(Number.isInteger(bits) && bits >= 0 && bits <= most))) {
      throw new HostError('internal', 'host.options', `trustedProxies: "${entry}" is not an address or a network.`);
    }
    const type = family === 4 ? 'ipv4' : 'ipv6';
    if (bits === undefined) list.addAddress(address, type);
    else list.addSubnet(address, bits, type);
  }
  return {
    has(address) {
      if (entries.length === 0) return false;
      const plain = plainAddress(address);
      const family = isIP(plain);
      return family !== 0 && list.check(plain, family === 4 ? 'ipv4' : 'ipv6');
    },
  };
}

/** `::ffff:192.0.2.1`, as a dual-stack socket names an IPv4 peer, becomes `192.0.2.1`. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(address) ? address.slice(7) : address;
}

/** The client's address: the peer, or behind trusted proxies the last address that is not one of them. */
export function clientAddress(request: Headed, info: ConnectionInfo, proxies: ProxyList): string {
  let address = plainAddress(info.remoteAddress) || 'unknown';
  if (!proxies.has(address)) return address;
  const hops = (request.headers.get('x-forwarded-for') ?? '').split(',').map((hop) => plainAddress(hop.trim()));
  while (proxies.has(address)) {
    const hop = hops.pop();
    if (hop === undefined || isIP(hop) === 0) break;
    address = hop;
  }
  return address;
}
