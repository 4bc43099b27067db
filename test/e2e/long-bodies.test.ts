import { describeLongBodies } from '../support/long-body-run.ts';

describeLongBodies(256 * 2 ** 20);
