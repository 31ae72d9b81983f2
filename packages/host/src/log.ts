// The pino logger of the host: JSON lines, with every field that may hold a secret redacted.
import { type DestinationStream, type Logger as PinoLogger, pino, stdSerializers } from 'pino';

/** Names of fields whose values never reach a log. */
const SECRET_FIELDS = [
  'authorization',
  'cookie',
  'challenge',
  'csrf',
  'key',
  'masterKey',
  'password',
  'pin',
  'privateKey',
  'pushMagic',
  'secret',
  'token',
  'adminToken',
  'unlockToken',
  'bootstrapToken',
];

/**
 * A pino logger that redacts secrets at the top and one level down.
 *
 * @param options.level pino's level (default `info`).
 * @param options.destination a stream (default: standard output).
 */
export function createLogger(
  options: { readonly level?: string; readonly destination?: DestinationStream } = {},
): PinoLogger {
  const settings = {
    level: options.level ?? 'info',
    redact: { paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
    base: null,
    // pino writes the reason, the stack and the causes of `err` alone; the engine says `error`.
    serializers: { error: stdSerializers.err },
  };
  return options.destination ? pino(settings, options.destination) : pino(settings);
}
