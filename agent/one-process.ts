/** The data plane in this very process: its listeners, and who looks after instances beside them. */
import { openAccessLog } from './access-log.ts';
import { dumpClusters } from './admin/cluster-dump.ts';
import { type DataPlane, type DataPlaneOptions, lastLinesMs } from './data-plane.ts';
import { startInstanceWatch } from './health-checks/instance-watch.ts';
import { probeInstance } from './health-checks/probe.ts';
import { startListeners } from './listeners.ts';
import { addUpCounts } from './telemetry/request-counts.ts';

const noLines = { written: 0, dropped: 0 };

/** Rejects when one of the ports cannot be listened on; then none is. */
export async function startOneProcess(options: DataPlaneOptions): Promise<DataPlane> {
  const { directory, clock, random, log } = options;
  const accessLog = openAccessLog(options.settings.accessLog, options);
  const listeners = await startListeners({ ...options, accessLog: accessLog?.log }).catch(async (cause) => {
    await accessLog?.close();
    throw cause;
  });
  const watch = startInstanceWatch({ clock, random, probe: probeInstance, log });
  const swapped = () => watch.update(directory.made.clusters.values());
  swapped();
  const { outbound, inbound, redirected, upstreams, limits: counts } = listeners;
  const { limits } = options.settings;
  return {
    outbound,
    inbound,
    redirected,
    upstreams,
    swapped,
    obstacleChanged: () => {},
    onceInUse: (then) => then(),
    fault: '',
    reopenAccessLog: () => accessLog?.reopen(),
    poolOf: (load, listener) => listeners.poolOf(load, listener),
    report: async () => ({
      traffic: listeners.traffic(),
      ...(limits && {
        limits: { outbound: { ...limits, counts: counts.outbound }, inbound: { ...limits, counts: counts.inbound } },
      }),
      clusters: dumpClusters(directory.made, (load) => listeners.poolOf(load)),
      memory: process.memoryUsage(),
      accessLog: accessLog?.log.counts ?? noLines,
      workers: [],
      droppedConnections: 0,
    }),
    requestCounts: async () => addUpCounts(listeners.counts()),
    retire: () => listeners.retire(),
    closeInbound: () => listeners.closeInbound(),
    close: async () => {
      await listeners.close();
      watch.close();
      await accessLog?.close();
    },
    cutOff: async () => {
      const underWay = listeners.cutOff();
      await accessLog?.close(lastLinesMs);
      return underWay;
    },
  };
}
