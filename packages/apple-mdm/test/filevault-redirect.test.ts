// FileVault recovery keys of Macs before macOS 10.13: Apple's example of the request, and what is no request.
import { describe, expect, it } from 'vitest';
import { MdmError, readRecoveryKeyRequest, recoveryKeyResponse } from '../src/index.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
/** Apple's Configuration Profile Reference, FileVault Client Request; the CMS shortened to its beginning, as there. */
const apple = `<FDECaptureRequest>
<VersionNumber>1.0</VersionNumber>
<SerialNumber>A02FE08UCC8X</SerialNumber>
<RecoveryKeyCMS64>MIAGCSqGSIb3DQEHAw==</RecoveryKeyCMS64>
</FDECaptureRequest>
`;

describe('the request', () => {
  it('is read as Apple writes it', () => {
    expect(readRecoveryKeyRequest(bytes(apple))).toEqual({
      serialNumber: 'A02FE08UCC8X',
      cms: new Uint8Array(Buffer.from('308006092a864886f70d010703', 'hex')),
    });
  });

  it('may have a declaration, lines in its base64, and members that are not known', () => {
    const text = `<?xml version="1.0" encoding="UTF-8"?>\n${apple}`
      .replace('MIAG', 'MIAG\n  ')
      .replace('<SerialNumber>', '<Other>x</Other><SerialNumber>');
    expect(readRecoveryKeyRequest(bytes(text))).toEqual(readRecoveryKeyRequest(bytes(apple)));
  });

  it.each([
    ['nothing', ''],
    ['another document', '<plist version="1.0"><dict/></plist>'],
    ['a document type', `<!DOCTYPE x [<!ENTITY e "A">]>${apple}`],
    ['a reference', apple.replace('A02FE08UCC8X', '&#65;02')],
    ['no serial number', apple.replace(/<SerialNumber>.*\n/, '')],
    ['two serial numbers', apple.replace('<SerialNumber>', '<SerialNumber>B</SerialNumber><SerialNumber>')],
    ['a serial number that would be markup', apple.replace('A02FE08UCC8X', 'a"b')],
    ['no key', apple.replace(/<RecoveryKeyCMS64>.*\n/, '')],
    ['a key that is not base64', apple.replace('MIAG', 'MI*G')],
    ['members that do not end', apple.replace('</SerialNumber>', '</VersionNumber>')],
    ['no end', apple.replace('</FDECaptureRequest>', '')],
    ['something after it', `${apple}<more/>`],
  ])('is refused with %s', (_, text) => {
    expect(() => readRecoveryKeyRequest(bytes(text))).toThrow(
      expect.objectContaining({ code: 'mdm.recovery_key.malformed', kind: 'invalid' }),
    );
  });

  it('is refused in linear time, and before it is read where it is too large', () => {
    for (const piece of ['<A>', ' ', '<A></A>', '<?xml ', '<FDECaptureRequest>']) {
      const text = `<FDECaptureRequest>${piece.repeat(60_000 / piece.length)}`;
      const begun = performance.now();
      expect(() => readRecoveryKeyRequest(bytes(text))).toThrow(MdmError);
      expect(performance.now() - begun).toBeLessThan(500);
    }
    expect(() => readRecoveryKeyRequest(new Uint8Array(70_000))).toThrow(
      expect.objectContaining({ kind: 'too-large' }),
    );
  });
});

describe('the answer', () => {
  it('echoes the serial number and gives the record', () => {
    const text = new TextDecoder().decode(recoveryKeyResponse({ serialNumber: 'A02FE08UCC8X', recordNumber: '42' }));
    expect(text).toContain('<SerialNumber>A02FE08UCC8X</SerialNumber>');
    expect(text).toContain('<RecordNumber>42</RecordNumber>');
  });

  it('is never without a record, and holds no markup of others', () => {
    for (const recordNumber of ['', '<b>']) {
      expect(() => recoveryKeyResponse({ serialNumber: 'A', recordNumber })).toThrow(MdmError);
    }
  });
});
