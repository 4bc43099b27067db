/** Where an Envoy gets the resources that another one names. */
import type { Input } from '../../../proto/load.ts';
import { ApiVersion, type ConfigSource } from '../../../proto/types.ts';

/** From the aggregated stream. */
export const ads: Input<ConfigSource> = { ads: {}, resourceApiVersion: ApiVersion.V3 };
