/** The words behind a status, as RFC 9110, section 15, has them. */
import { STATUS_CODES } from 'node:http';

/** Node has the words of older RFCs for these. */
const renamed: Readonly<Record<number, string>> = { 413: 'Content Too Large', 422: 'Unprocessable Content' };

/** '' for a status that nobody has registered: a status line may go without. */
export function statusPhrase(status: number): string {
  return renamed[status] ?? STATUS_CODES[status] ?? '';
}
