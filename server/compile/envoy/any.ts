/** A message inside another one that does not know its type. */
import type { Input, MessageType } from '../../../proto/load.ts';
import type { Any } from '../../../proto/types.ts';

export function any<T>(type: MessageType<T>, message: Input<T>): Input<Any> {
  return { type_url: type.typeUrl, value: type.encode(message) };
}
