// Revocation and status at the issuer, for authorities that offer them.
import { isPkiError, type PkiError } from '../errors.ts';
import { readCertificate } from '../x509/certificate.ts';
import { requester, rsa } from './requests.ts';
import { type AuthoritySuite, errorOf } from './runner.ts';

/** Registers the tests; an authority without `revoke` or `status` passes them. */
export function revocationTests({ test, expect }: AuthoritySuite): void {
  test('knows the status of what it issued, and of nothing else', async ({ authority }) => {
    if (!authority.status) return;
    const der = await authority.issue(await (await requester(rsa)).request('CN=status'));
    const { serialNumber } = readCertificate(der);
    expect((await authority.status(serialNumber)).status, 'of a fresh certificate').toBe('good');
    expect((await authority.status('0badc0de')).status, 'of a stranger').toBe('unknown');
  });

  test('revokes once, for the first reason given', async ({ authority }) => {
    if (!authority.revoke) return;
    const der = await authority.issue(await (await requester(rsa)).request('CN=revoked'));
    const other = await authority.issue(await (await requester(rsa, 'other')).request('CN=kept'));
    const { serialNumber } = readCertificate(der);
    await authority.revoke(serialNumber, 'keyCompromise');
    await authority.revoke(serialNumber, 'superseded');
    if (!authority.status) return;
    const status = await authority.status(serialNumber);
    expect(status.status, 'of the revoked one').toBe('revoked');
    expect(status.status === 'revoked' ? status.reason : null, 'the reason').toBe('keyCompromise');
    expect((await authority.status(readCertificate(other).serialNumber)).status, 'of the other').toBe('good');
  });

  test('does not revoke what it never issued', async ({ authority }) => {
    if (!authority.revoke) return;
    const error = await errorOf(authority.revoke('0badc0de'));
    expect(isPkiError(error), `a PkiError, not ${String(error)}`).toBe(true);
    expect((error as PkiError).kind, 'its kind').toBe('not-found');
  });
}
