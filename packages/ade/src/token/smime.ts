// From the file that the portal gives to the CMS message in it: S/MIME, PEM or DER.
import { AdeError } from '../errors.ts';

/** Largest file that is looked at. Apple's have two kilobytes. */
export const maxTokenBytes = 1024 * 1024;

const remedy =
  'Download the server token (.p7m) of this server from Apple Business or School Manager and give that file.';

/**
 * Takes the S/MIME wrapping off a downloaded token.
 *
 * @throws AdeError `ade.token.too_large`, `ade.token.empty`, `ade.token.not_smime`, `ade.token.encoding`.
 */
export function unwrapSmime(file: Uint8Array): Uint8Array {
  if (file.length > maxTokenBytes) {
    throw new AdeError('ade.token.too_large', 'the file is larger than any server token', {
      kind: 'too-large',
      remedy,
    });
  }
  if (file.length === 0) throw new AdeError('ade.token.empty', 'the file is empty', { remedy });
  // A SEQUENCE of definite long or indefinite length: the bare CMS message.
  if (file[0] === 0x30 && file[1] !== undefined && file[1] >= 0x80) return file;
  const text = Buffer.from(file.buffer, file.byteOffset, file.length).toString('latin1').replace(/\r\n?/g, '\n');
  const pem = /^-----BEGIN ([A-Z0-9 ]{1,40})-----\n/m.exec(text);
  if (pem) return fromPemText(text, pem);
  return decodeBase64(smimeBody(text));
}

function fromPemText(text: string, begin: RegExpExecArray): Uint8Array {
  const label = begin[1]!;
  if (label !== 'PKCS7' && label !== 'CMS') {
    throw new AdeError('ade.token.not_smime', `the file is a ${label.toLowerCase()}, not a server token`, { remedy });
  }
  const start = begin.index + begin[0].length;
  const end = text.indexOf(`-----END ${label}-----`, start);
  if (end < 0) throw new AdeError('ade.token.encoding', 'the file is cut off: its end is missing', { remedy });
  return decodeBase64(text.slice(start, end));
}

/** The body below the header lines. Apple folds header lines without indenting them, so only the empty line counts. */
function smimeBody(text: string): string {
  const trimmed = text.replace(/^\uFEFF|^\u00EF\u00BB\u00BF/, '').trimStart();
  const gap = trimmed.indexOf('\n\n');
  const head = gap < 0 ? trimmed : trimmed.slice(0, gap);
  if (!/^[A-Za-z-]{2,40}:/.test(head)) {
    // No header at all: a file that somebody already took the wrapping off.
    if (/^[A-Za-z0-9+/=\s]+$/.test(trimmed) && trimmed.startsWith('MI')) return trimmed;
    throw new AdeError('ade.token.not_smime', describeStranger(trimmed), { remedy });
  }
  if (!/^content-type:\s*application\/(?:x-)?pkcs7-mime/im.test(head)) {
    throw new AdeError('ade.token.not_smime', 'the file is a message, but not an encrypted one', { remedy });
  }
  if (/^content-transfer-encoding:\s*(?!base64|\s)/im.test(head)) {
    throw new AdeError('ade.token.encoding', 'the encrypted part of the file is not base64', { remedy });
  }
  if (gap < 0)
    throw new AdeError('ade.token.encoding', 'the file is cut off: it has a header and no content', { remedy });
  return trimmed.slice(gap + 2);
}

function describeStranger(text: string): string {
  if (text.startsWith('<')) return 'the file is a web page or another XML document, not a server token';
  if (text.startsWith('{')) return 'the file is JSON; a server token is encrypted';
  if (text.startsWith('eyJ')) return 'the file is a content token of Apps and Books, not a server token';
  return 'the file is no S/MIME message';
}

function decodeBase64(text: string): Uint8Array {
  const compact = text.replace(/\s+/g, '');
  if (compact === '') throw new AdeError('ade.token.encoding', 'the file has no content', { remedy });
  if (compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) {
    throw new AdeError('ade.token.encoding', 'the content of the file is not base64: it is cut off or was changed', {
      remedy,
    });
  }
  return Uint8Array.from(Buffer.from(compact, 'base64'));
}
