// The time format of certificates as OpenSSL, Node and Cloudflare print it: `Mar 21 13:35:00 2022 GMT`. Nothing more lenient.

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
// OpenSSL pads the day with a blank.
const shape = /^([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) (\d{4}) GMT$/;

/** @returns epoch milliseconds, or undefined for anything that is not such a time (a 31st of February too) */
export function parseCertificateTime(text: string): number | undefined {
  const [, name = "", ...digits] = shape.exec(text) ?? [];
  const [day = -1, hour = -1, minute = -1, second = -1, year = -1] = digits.map(Number);
  const month = months.indexOf(name);
  if (month < 0 || hour > 23 || minute > 59 || second > 59) return undefined;
  const time = Date.UTC(year, month, day, hour, minute, second);
  const date = new Date(time);
  return date.getUTCMonth() === month && date.getUTCDate() === day ? time : undefined;
}
