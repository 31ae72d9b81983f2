// Where Macs before macOS 10.13 send their FileVault recovery keys (POL-9): the address, and what is behind it.
import { readRecoveryKeyRequest, recoveryKeyResponse } from '@espalier/apple-mdm';
import type { Engine, LateSource } from '@espalier/core';
import type { PublicUrls } from '../enrol/profile.ts';
import { answerOf } from '../http/respond.ts';
import type { Route } from '../http/router.ts';

/** A key encrypted to one certificate has one or two kilobytes. */
const MAX_BYTES = 16 * 1024;

/** Puts the address into the payload when a Mac takes it: of this Mac alone, since nothing else proves who sends a key. */
export function redirectSource({ escrow }: Engine, urls: PublicUrls | null): LateSource {
  return async ({ enrolment: { id } }) => {
    if (urls === null) return { outcome: 'hold', reason: 'this server has no public URL' };
    if (!urls.base.startsWith('https://')) return { outcome: 'hold', reason: 'Macs send recovery keys to https: only' };
    const RedirectURL = `${urls.base}/recovery-key/${encodeURIComponent(id)}/${await escrow.redirectWord(id)}`;
    return { outcome: 'ready', values: { RedirectURL } };
  };
}

/** `/recovery-key/:id/:word` */
export function recoveryKeyRoutes({ escrow }: Engine, timeoutMs: number): Route[] {
  return [
    {
      methods: ['POST'],
      path: '/recovery-key/:id/:word',
      async handle({ params, body }) {
        const { serialNumber, cms } = readRecoveryKeyRequest(await body({ maxBytes: MAX_BYTES, timeoutMs }));
        const { id = '', word = '' } = params;
        const { at } = await escrow.redirected({ enrolmentId: id, word, serialNumber, cms });
        // By its time, as the escrow tells it, the key is found among those before and after it.
        const recordNumber = new Date(at).toISOString().replaceAll(/[-:]|\.\d+Z/g, '');
        const answer = recoveryKeyResponse({ serialNumber, recordNumber });
        return answerOf(answer, 200, 'application/xml', { 'cache-control': 'no-store' });
      },
    },
  ];
}
