// The audit log of a simulated organisation.
import type { DeviceEvent } from './activities.ts';
import { pageOf, problem } from './documents.ts';

/** `GET /v1/auditEvents`. */
export function readAuditEvents(
  events: readonly DeviceEvent[],
  url: URL,
  maxPage: number,
  actorId: string,
  serialOf: (number: number) => string,
): Response {
  const start = Date.parse(url.searchParams.get('filter[startTimestamp]') ?? '');
  const end = Date.parse(url.searchParams.get('filter[endTimestamp]') ?? '');
  if (Number.isNaN(start) || Number.isNaN(end))
    return problem(400, 'PARAMETER_ERROR.MISSING', 'filter[startTimestamp]');
  const type = url.searchParams.get('filter[type]');
  const subject = url.searchParams.get('filter[subjectId]');
  return pageOf(url, maxPage, events.length, (index) => {
    const event = events[index]!;
    const serialNumber = serialOf(event.number);
    if (event.at < start || event.at > end || (type !== null && type !== event.type)) return undefined;
    if (subject !== null && subject !== serialNumber) return undefined;
    const key = `eventData${event.type.toLowerCase().replaceAll(/(?:^|_)([a-z])/g, (_, first: string) => first.toUpperCase())}`;
    const released = event.type === 'DEVICE_REMOVED_FROM_ORG';
    const attributes = {
      eventDateTime: new Date(event.at).toISOString(),
      type: event.type,
      category: 'DEVICE_INVENTORY',
      actorType: 'API_ACCOUNT',
      actorId,
      subjectType: 'DEVICE',
      subjectId: serialNumber,
      outcome: 'SUCCESS',
      eventDataPropertyKey: key,
      [key]: { serialNumber, ...(released && { releaseEntityType: 'API', releaseEntityId: actorId }) },
    };
    return { type: 'auditEvents', id: `event-${index}`, attributes };
  });
}
