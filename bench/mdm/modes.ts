// The ways in which devices reach the server and prove who they are.
import type { Place } from './wire.ts';

/** How devices connect and prove themselves. */
export interface Mode {
  readonly name: string;
  /** A TLS connection with a client certificate for each cycle, or connections that are kept, as a proxy has them. */
  readonly tls: boolean;
  /** `Mdm-Signature`; otherwise the client certificate, from TLS or in the proxy's header. */
  readonly signed: boolean;
}

/** All of them. */
export const MODES: readonly Mode[] = [
  { name: 'HTTP, forwarded certificate', tls: false, signed: false },
  { name: 'HTTP, Mdm-Signature', tls: false, signed: true },
  { name: 'TLS, client certificate', tls: true, signed: false },
  { name: 'TLS, Mdm-Signature', tls: true, signed: true },
];

/** A server as the devices see it. */
export interface Target extends Place {
  readonly checkinPath: string;
  readonly connectPath: string;
}

/** The header in which a proxy hands on the certificate. */
export const FORWARDED = 'x-client-cert';
