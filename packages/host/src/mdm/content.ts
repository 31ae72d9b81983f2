// What declarations point at: profiles and asset data, for devices that have the declaration.
import type { Engine } from '@espalier/core';
import { HostError } from '../errors.ts';
import { bytes } from '../http/respond.ts';
import type { Route } from '../http/router.ts';
import type { Identifier } from '../identity/identify.ts';

/** The path of a declaration's content below the public base URL. */
export function contentPath({ identifier, sha256 }: { readonly identifier: string; readonly sha256: string }): string {
  return `/mdm/content/${encodeURIComponent(identifier)}/${sha256}`;
}

/**
 * `GET /mdm/content/:identifier/:sha256`. Devices show their identity in TLS here (Apple: "Integrating declarative
 * management"); who is not to have the declaration gets the answer of one that does not exist.
 */
export function contentRoutes(engine: Engine, identifier: Identifier): Route[] {
  return [
    {
      methods: ['GET'],
      path: '/mdm/content/:identifier/:sha256',
      async handle(context) {
        const { info, params } = context;
        const identity = identifier.identify(context, info, new Uint8Array());
        if (identity.expired === true) {
          throw new HostError('unauthenticated', 'host.identity.untrusted', 'The certificate has expired.');
        }
        const { identifier: name = '', sha256 = '' } = params;
        const content = await engine.declarations.content(identity.fingerprint, { identifier: name, sha256 });
        return bytes(content.bytes, 200, content.contentType, { 'cache-control': 'private, no-store' });
      },
    },
  ];
}
