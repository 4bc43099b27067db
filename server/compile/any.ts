import type { Input, MessageType } from '../../proto/load.ts';
import type { Any } from '../../proto/types.ts';

/** A message inside another that does not say what type it is of. */
export function any<T>(type: MessageType<T>, message: Input<T>): Input<Any> {
  return { type_url: type.typeUrl, value: type.encode(message) };
}
