/**
 * A map of which exactly one field is given: `{ exact: /a }` or `{ prefix: /a }`, never both, never neither.
 * A plain union of maps would mean the same, but could not say which field is wrong and why.
 */
import { z } from 'zod';

/** One type per field; the other fields are known to be absent, so `choice.exact !== undefined` narrows. */
export type Choice<Shape extends z.ZodRawShape> = {
  [Field in keyof Shape]: { [Own in Field]: z.output<Shape[Own]> } & { [Other in Exclude<keyof Shape, Field>]?: never };
}[keyof Shape];

export function choice<Shape extends z.ZodRawShape>(shape: Shape): z.ZodType<Choice<Shape>> {
  const fields = Object.keys(shape);
  const optional = Object.fromEntries(Object.entries(shape).map(([field, schema]) => [field, z.exactOptional(schema)]));
  const schema = z
    .strictObject(optional)
    .meta({ minProperties: 1, maxProperties: 1 })
    .superRefine((value, context) => {
      const given = fields.filter((field) => Object.hasOwn(value, field));
      if (given.length === 1) return;
      const found = given.length === 0 ? 'none is given' : `given are ${given.join(' and ')}`;
      context.addIssue({ code: 'custom', message: `needs exactly one of ${fields.join(', ')}; ${found}` });
    });
  // The schema is built from a list of fields, so its type is not known to zod; the check above makes this one true.
  return schema as unknown as z.ZodType<Choice<Shape>>;
}
