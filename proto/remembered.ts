/** Decoding once what comes again and again: a thousand clients of one kind ask for the same four thousand names. */

/** What is shorter is decoded sooner than found. */
const leastBytes = 1_024;
const mostBytes = 1024 * 1024;
/** Clients ask for a few types, and there are a few kinds of them. */
const mostRemembered = 8;

interface Remembered<Message> {
  readonly bytes: Buffer;
  readonly message: Message;
}

/** Decodes as `decode` does; the same bytes may yield the very same message, which nobody may change. */
export function remembering<Message>(decode: (bytes: Buffer) => Message): (bytes: Buffer) => Message {
  /** The one that was met last comes first. */
  const known: Remembered<Message>[] = [];
  return (bytes) => {
    if (bytes.length < leastBytes || bytes.length > mostBytes) return decode(bytes);
    const place = known.findIndex((each) => each.bytes.equals(bytes));
    // A copy: the bytes lie in a larger buffer, which would live on with them.
    const [found = { bytes: Buffer.from(bytes), message: decode(bytes) }] = place < 0 ? [] : known.splice(place, 1);
    known.unshift(found);
    known.length = Math.min(known.length, mostRemembered);
    return found.message;
  };
}
