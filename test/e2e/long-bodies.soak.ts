import { describeLongBodies } from '../support/long-body-run.ts';

describeLongBodies(4 * 2 ** 30);
