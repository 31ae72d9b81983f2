// The names that the protocol has on HTTP: content types and headers.

/** Content type of check-in requests. Source: Apple, "Check-in" web service endpoints. */
export const checkinContentType = 'application/x-apple-aspen-mdm-checkin';

/** Content type of requests to the server URL (status reports and `Idle`). */
export const connectContentType = 'application/x-apple-aspen-mdm';

/** Content type of a configuration profile (`.mobileconfig`). */
export const profileContentType = 'application/x-apple-aspen-config';

/** The header with the base64 detached CMS signature of the body, sent when the MDM payload sets `SignMessage`. */
export const signatureHeader = 'Mdm-Signature';
