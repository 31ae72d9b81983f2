// Trying again, as devices do: when the server cannot be reached or fails.
import { SimulatorError } from '../errors.ts';
import type { DeviceResponse } from './transport.ts';

/** How often and how patiently a device tries. */
export interface RetryOptions {
  /** Tries in all (default 8). */
  readonly attempts?: number;
  /** The first pause in milliseconds (default 500); each further one is twice as long. */
  readonly firstMs?: number;
  /** The longest pause (default 30,000). */
  readonly longestMs?: number;
}

/** What trying needs of the world. */
export interface RetryContext {
  readonly retry: RetryOptions;
  readonly sleep: (ms: number) => Promise<void>;
  /** From 0 up to 1. */
  readonly random: () => number;
}

/**
 * Sends until the server answers with a status below 500.
 * @throws SimulatorError `simulator.unreachable`
 */
export async function sendWithRetry(
  send: (attempt: number) => Promise<DeviceResponse>,
  context: RetryContext,
): Promise<DeviceResponse> {
  const { attempts = 8, firstMs = 500, longestMs = 30_000 } = context.retry;
  let last: { readonly cause?: unknown; readonly status?: number } = {};
  for (let attempt = 1; attempt <= attempts; attempt++) {
    try {
      const response = await send(attempt);
      if (response.status < 500) return response;
      last = { status: response.status };
    } catch (cause) {
      if (cause instanceof SimulatorError) throw cause;
      last = { cause };
    }
    if (attempt === attempts) break;
    const pause = Math.min(longestMs, firstMs * 2 ** (attempt - 1));
    await context.sleep(Math.round(pause * (0.75 + 0.5 * context.random())));
  }
  const reason = last.status === undefined ? messageOf(last.cause) : `HTTP ${last.status}`;
  throw new SimulatorError('simulator.unreachable', `no usable answer after ${attempts} tries: ${reason}`, last);
}

function messageOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const { code } = cause as { readonly code?: unknown };
  return typeof code === 'string' ? `${code} ${cause.message}` : cause.message;
}
