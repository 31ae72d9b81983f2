// Server tokens as the portal gives them: S/MIME around JSON.
import { encryptCms } from '@espalier/pki';
import type { Credentials } from './signature.ts';

/** The file that the portal gives: S/MIME around JSON between two lines. */
export function tokenFile(credentials: Credentials, certificate: Uint8Array): Uint8Array {
  const token = JSON.stringify({
    consumer_key: credentials.consumerKey,
    consumer_secret: credentials.consumerSecret,
    access_token: credentials.accessToken,
    access_secret: credentials.accessSecret,
    access_token_expiry: new Date(credentials.expires).toISOString().replace(/\.\d{3}Z$/, 'Z'),
  });
  const mime = [
    'Content-Type: text/plain;charset=UTF-8',
    'Content-Transfer-Encoding: 7bit',
    '',
    '-----BEGIN MESSAGE-----',
    token,
    '-----END MESSAGE-----',
    '',
  ].join('\r\n');
  const cms = encryptCms(Buffer.from(mime), { recipients: [certificate], cipher: 'aes-128-cbc' });
  const head = [
    'Content-Type: application/pkcs7-mime; name="smime.p7m"; smime-type=enveloped-data',
    'Content-Transfer-Encoding: base64',
    'Content-Disposition: attachment; filename="smime.p7m"',
    'Content-Description: S/MIME Encrypted Message',
    '',
    '',
  ].join('\r\n');
  return Uint8Array.from(
    Buffer.from(
      head +
        Buffer.from(cms)
          .toString('base64')
          .replace(/.{1,76}/g, '$&\r\n'),
    ),
  );
}
