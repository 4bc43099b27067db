/** The data plane in several processes: this one listens, checks instances and hands on; workers carry the requests. */
import { extname, join } from 'node:path';
import { openAccessLog } from '../access-log.ts';
import { dumpClusters, noPool } from '../admin/cluster-dump.ts';
import { cutOffMs, type DataPlane, type DataPlaneOptions } from '../data-plane.ts';
import { HealthChecks } from '../health-checks/health-checks.ts';
import { probeInstance } from '../health-checks/probe.ts';
import { verdictOn, verdictsOf } from '../health-checks/verdicts.ts';
import { addUpCounts, countsOf } from '../telemetry/request-counts.ts';
import { nothingHeld } from '../xds/resources.ts';
import { combine, nothingDone, retire } from './combine.ts';
import { HandOver } from './hand-over.ts';
import { deltaOf } from './mesh-delta.ts';
import type { FromWorker, Start } from './messages.ts';
import { openPorts } from './ports.ts';
import { WorkerPool } from './worker-pool.ts';
import type { WorkerProcess } from './worker-process.ts';

export interface WorkersOptions extends DataPlaneOptions {
  /** How long a worker may take to answer before it is taken for hung. 10 s when not given. */
  readonly answerWithinMs?: number;
}

/**
 * Workers are asked what they have done also when nobody wants to know: of one that is killed no more than this is lost, and
 * one that hangs is found by it.
 */
const askEveryMs = 5_000;

const program = join(import.meta.dirname, `main${extname(import.meta.filename)}`);

/** Rejects when a port cannot be listened on, or a worker cannot be started; then nothing runs. */
export async function startWorkers(options: WorkersOptions): Promise<DataPlane> {
  const { settings, directory, clock, random, log, onAppUnreachable, answerWithinMs } = options;
  /** What workers that have ended had done. */
  let past = nothingDone;
  /** What the workers have been sent, together. */
  let sent = directory.held;

  const clusters = () => dumpClusters(directory.made, () => noPool);
  const start = (worker: number): Start => ({
    is: 'start',
    worker,
    workers: settings.workers,
    zone: settings.zone,
    settings: ports.settings,
    accessLog: settings.accessLog,
    logLevel: settings.logLevel,
    mesh: deltaOf(nothingHeld, sent),
    verdicts: verdictsOf(directory.made.clusters.values()),
    obstacle: directory.obstacle,
  });
  const onMessage = (from: WorkerProcess, message: FromWorker) => {
    switch (message.is) {
      case 'serving':
        return handOver.handOn();
      case 'accepted':
        return handOver.accepted(from);
      case 'resolve': {
        const { name } = message;
        // After the view in which the name is known: that was sent first.
        return void directory.resolve(name).then((resolution) => from.send({ is: 'resolved', name, resolution }));
      }
      case 'used':
        return directory.used(message.names);
      case 'app-unreachable':
        return onAppUnreachable();
    }
  };

  const pool = new WorkerPool({
    program,
    count: settings.workers,
    clock,
    log,
    start,
    onMessage,
    onEnd: (worker, report) => {
      if (report !== undefined) past = retire(combine(clusters(), [past, report]));
      handOver.gone(worker);
    },
    answerWithinMs,
  });
  const handOver = new HandOver({ clock, serving: () => pool.serving });
  const checks = new HealthChecks({
    clock,
    random,
    probe: probeInstance,
    log,
    onChange: (cluster, endpoint) => pool.tell({ is: 'verdicts', verdicts: [verdictOn(endpoint, cluster.name)] }),
  });

  // So that a file that cannot be opened is told of as long as there is somebody who can change that.
  await openAccessLog(settings.accessLog, options)?.close();
  const ports = await openPorts(settings, (port, handle) => handOver.take(port, handle));
  let stopAsking = () => {};
  const askRegularly = () => {
    stopAsking = clock.after(askEveryMs, () => {
      void pool.askForReports();
      askRegularly();
    });
  };
  const close = async () => {
    stopAsking();
    ports.close();
    handOver.close();
    await pool.close();
    checks.close();
  };
  try {
    await pool.start();
  } catch (cause) {
    await close();
    throw cause;
  }
  checks.update(directory.made.clusters.values());
  askRegularly();

  return {
    outbound: ports.outbound,
    inbound: ports.inbound,
    redirected: ports.redirected,
    upstreams: ports.upstreams,
    swapped: () => {
      pool.use(deltaOf(sent, directory.held));
      sent = directory.held;
      checks.update(directory.made.clusters.values());
    },
    obstacleChanged: () => pool.tell({ is: 'obstacle', sentence: directory.obstacle }),
    onceInUse: (then) => pool.onceInUse(then),
    get fault() {
      return pool.serving.size === 0 ? 'no worker is running' : '';
    },
    reopenAccessLog: () => pool.tell({ is: 'reopen-access-log' }),
    poolOf: () => noPool,
    report: async () => {
      await pool.askForReports();
      const { reports, workers } = pool;
      const own = process.memoryUsage();
      return {
        ...combine(clusters(), [past, ...reports]),
        memory: {
          rss: reports.reduce((sum, { memory }) => sum + memory.rss, own.rss),
          heapUsed: reports.reduce((sum, { memory }) => sum + memory.heapUsed, own.heapUsed),
        },
        workers,
        droppedConnections: handOver.dropped,
      };
    },
    requestCounts: async () => {
      await pool.askForReports();
      const { traffic } = combine([], [past, ...pool.reports]);
      const clusters = Object.values(traffic).flatMap((listener) => Object.entries(listener.clusters));
      return addUpCounts(clusters.map(([cluster, counters]) => [cluster, countsOf(counters)]));
    },
    retire: () => ports.close(),
    closeInbound: async () => {
      ports.closeInbound();
      await pool.closeInbound();
    },
    close,
    cutOff: () => {
      ports.close();
      handOver.close();
      return pool.cutOff(cutOffMs);
    },
  };
}
