/** What every resource says about itself: its name, its namespace and its labels. */
import { z } from 'zod';
import { dnsLabel, labels } from './name-schemas.ts';

/** Version of the document format; a document without it is refused rather than guessed at. */
export const apiVersion = z.literal('sluice.dev/v1');

export const defaultNamespace = 'default';

export const metadata = z.strictObject({
  name: dnsLabel.describe('Unique per kind and namespace.'),
  namespace: dnsLabel.default(defaultNamespace).describe('All names in the document mean this namespace.'),
  labels: labels.default({}).describe('For selecting resources, such as with --prune.'),
});

export type Metadata = z.infer<typeof metadata>;
