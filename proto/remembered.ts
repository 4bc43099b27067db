/**
 * Decoding once what comes again and again: a thousand clients of one kind ask for the same four thousand names, and answer the same
 * response with the same bytes, one after the other.
 */

/** What is shorter is decoded sooner than looked for among several: it is compared with the last one alone. */
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
  // A copy: the bytes lie in a larger buffer, which would live on with them. Decoded from it, too: fields of bytes are views into it.
  const remember = (original: Buffer): Remembered<Message> => {
    const bytes = Buffer.from(original);
    return { message: decode(bytes), bytes };
  };
  let lastShort: Remembered<Message> | undefined;
  /** The one that was met last comes first. */
  const known: Remembered<Message>[] = [];
  return (bytes) => {
    if (bytes.length > mostBytes) return decode(bytes);
    if (bytes.length < leastBytes) {
      if (!lastShort?.bytes.equals(bytes)) lastShort = remember(bytes);
      return lastShort.message;
    }
    const place = known.findIndex((each) => each.bytes.equals(bytes));
    const [found = remember(bytes)] = place < 0 ? [] : known.splice(place, 1);
    known.unshift(found);
    known.length = Math.min(known.length, mostRemembered);
    return found.message;
  };
}
