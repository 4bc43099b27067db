/**
 * What a proxy tells the application of where a request came from. The inbound agent sees the caller's address, so it adds
 * `x-forwarded-for` and its like; to an outbound agent every caller is the application beside it, which is nobody's news.
 */
import type { ByteWriter } from '../http1/byte-writer.ts';
import { headerKind } from '../http1/header-kind.ts';
import type { RequestHead } from '../http1/request-head.ts';

/** What can be added: the usual headers, RFC 7239 `forwarded`, RFC 9110 `via`. */
export const forwardedHeaders = ['x-forwarded-for', 'x-forwarded-proto', 'forwarded', 'via'] as const;
export type ForwardedHeader = (typeof forwardedHeaders)[number];

/** What the receivers of most proxies expect. `via` is left out: some servers send such requests nothing compressed. */
export const usualForwardedHeaders: readonly ForwardedHeader[] = ['x-forwarded-for', 'x-forwarded-proto'];

/** Kinds that are written anew with what the request has of them. */
export function replacedKinds(headers: readonly ForwardedHeader[]): number[] {
  return headers.filter((header) => header !== 'x-forwarded-proto').map((header) => headerKind[header]);
}

/** `remoteAddress`: of the caller. The kinds of `replacedKinds` must be withheld. */
export function writeForwarded(
  writer: ByteWriter,
  head: RequestHead,
  { headers, remoteAddress }: { readonly headers: readonly ForwardedHeader[]; readonly remoteAddress: string },
): void {
  for (const header of headers) {
    switch (header) {
      case 'x-forwarded-for':
        appended(writer, head, header, remoteAddress);
        break;
      case 'x-forwarded-proto':
        if (!head.fields.has(headerKind['x-forwarded-proto'])) writer.text('x-forwarded-proto: http\r\n');
        break;
      case 'forwarded':
        appended(writer, head, header, forwardedElement(remoteAddress));
        break;
      case 'via':
        appended(writer, head, header, head.minorVersion === 0 ? '1.0 sluice' : '1.1 sluice');
    }
  }
}

/** The list that came, and one element more. */
function appended(writer: ByteWriter, head: RequestHead, header: ForwardedHeader, element: string): void {
  const before = head.fields.has(headerKind[header]) ? head.fields.find(header) : undefined;
  writer.text(header);
  writer.text(': ');
  if (before !== undefined && before !== '') {
    writer.text(before);
    writer.text(', ');
  }
  writer.text(element);
  writer.text('\r\n');
}

function forwardedElement(address: string): string {
  return address.includes(':') ? `for="[${address}]";proto=http` : `for=${address};proto=http`;
}
