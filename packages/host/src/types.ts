// The types that the fetch handler shares with its adapters and its callers.

/** What the transport knows of a request and HTTP itself does not say. */
export interface ConnectionInfo {
  /** The TLS client certificate, DER, as the socket gave it: not yet verified. */
  readonly clientCertificate?: Uint8Array;
  /** The address of the peer of the socket (the proxy's, where there is one). */
  readonly remoteAddress?: string;
}

/** The whole server as one function. */
export type FetchHandler = (request: Request, info?: ConnectionInfo) => Promise<Response>;

/** Where the host writes its log; a pino logger fits, and so does `createLogger()`. */
export interface Logger {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** A logger that writes nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
