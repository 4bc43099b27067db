/** The operators' REST API: the list of its endpoints, and how a request finds one and gets its answer. */
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { MeshError } from '../model/errors.ts';
import type { Answer, Endpoint } from './endpoint.ts';
import { EventHub, realTimers, type Timers } from './events.ts';
import { describeApi } from './openapi.ts';
import type { ControlPlane } from './ports.ts';
import { ApiError, errorOf, problemContentType, problemOf } from './problem-response.ts';
import { RequestSignals } from './request-signals.ts';
import { agentEndpoints } from './routes/agents.ts';
import { applyEndpoints } from './routes/apply.ts';
import { eventEndpoints } from './routes/events.ts';
import { instanceEndpoints } from './routes/instances.ts';
import { loadEndpoints } from './routes/load.ts';
import { operationEndpoints } from './routes/operations.ts';
import { problemEndpoints } from './routes/problems.ts';
import { listEndpoint, resourceEndpoints } from './routes/resources.ts';
import { revisionEndpoints } from './routes/revisions.ts';
import { serviceEndpoints } from './routes/services.ts';

/** What the API needs of a log; pino's logger is one. */
export interface ApiLog {
  error(fields: object, message: string): void;
}

/** One answered request, for counters. `path` is the template, so that it has few values. */
export interface AnsweredRequest {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Code of the problem; '' when there was none. */
  readonly code: string;
}

export interface ApiOptions {
  readonly log: ApiLog;
  /** Of Sluice, for the description and the first page. */
  readonly version?: string;
  /** Aborted when the server shuts down: streams end, waits answer with how far they have come. */
  readonly closing?: AbortSignal;
  readonly timers?: Timers;
  readonly onAnswered?: (request: AnsweredRequest) => void;
}

/** Paths of later capabilities: known, so that nobody looks for a typing mistake. */
const notYet = ['/api/v1/plan', '/api/v1/explain'];

export function createApi(controlPlane: ControlPlane, options: ApiOptions): Express {
  const { version = '0.0.0', closing, timers = realTimers } = options;
  const hub = new EventHub(controlPlane.events, timers);
  closing?.addEventListener('abort', () => hub.close());

  const endpoints: Endpoint[] = [
    ...operationEndpoints(controlPlane, { version, describe: () => description() }),
    ...applyEndpoints(controlPlane),
    ...serviceEndpoints(controlPlane),
    listEndpoint(controlPlane, 'Route'),
    ...resourceEndpoints(controlPlane, { kind: 'Route' }),
    listEndpoint(controlPlane, 'TrafficPolicy'),
    ...resourceEndpoints(controlPlane, { kind: 'TrafficPolicy' }),
    ...instanceEndpoints(controlPlane),
    ...agentEndpoints(controlPlane),
    ...loadEndpoints(controlPlane),
    ...problemEndpoints(controlPlane),
    ...revisionEndpoints(controlPlane),
    ...eventEndpoints(controlPlane, hub),
  ];
  const description = once(() => describeApi(endpoints, version));

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.use(observe(options.onAnswered));
  app.use(refuseOtherOrigins);
  const signals = new RequestSignals(closing);
  for (const [path, served] of byPath(endpoints)) mount(app, path, served, { closing, signals });
  for (const path of notYet) {
    app.all(path, () => {
      throw new ApiError('NOT_SUPPORTED_YET', path);
    });
  }
  app.use((request: Request) => {
    throw new MeshError('ROUTE_PATH_NOT_FOUND', [request.path.slice(0, 200)]);
  });
  app.use(answerError(options.log));
  return app;
}

interface Closing {
  readonly closing: AbortSignal | undefined;
  readonly signals: RequestSignals;
}

function mount(app: Express, path: string, endpoints: readonly Endpoint[], closing: Closing): void {
  const route = app.route(path.replaceAll(/\{(\w+)\}/g, ':$1'));
  for (const endpoint of endpoints) {
    const limitBytes = endpoint.body?.limitBytes;
    if (limitBytes === undefined) route[endpoint.method](serve(endpoint, closing));
    else route[endpoint.method](express.raw({ type: () => true, limit: limitBytes }), serve(endpoint, closing));
  }
  const methods = endpoints.map(({ method }) => method.toUpperCase());
  const allowed = [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ');
  route.all((request, response) => {
    response.set('allow', allowed);
    if (request.method !== 'OPTIONS') throw new MeshError('METHOD_NOT_ALLOWED', [request.method, allowed]);
    response.status(204).end();
  });
}

function serve(endpoint: Endpoint, { closing, signals }: Closing) {
  return async (request: Request, response: Response): Promise<void> => {
    response.locals.path = endpoint.path;
    response.locals.limitBytes = endpoint.body?.limitBytes;
    const answer = await endpoint.run({
      // Only wildcards give lists, and no path has one.
      params: Object.fromEntries(Object.entries(request.params).map(([name, value]) => [name, String(value)])),
      query: new URLSearchParams(queryOf(request.originalUrl)),
      headers: request.headers,
      body: {
        type: request.get('content-type') ?? '',
        bytes: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
      },
      remoteAddress: (request.socket.remoteAddress ?? 'unknown').replace(/^::ffff:/, ''),
      signal: signals.of(response),
    });
    if (response.destroyed) return;
    // A connection that stays open would hold up the shutdown until it has been idle for long.
    if (closing?.aborted) response.set('connection', 'close');
    send(request, response, answer);
  };
}

function send(request: Request, response: Response, answer: Answer): void {
  if (answer.is === 'stream') {
    response
      .status(200)
      .set({ 'content-type': answer.contentType, 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    response.flushHeaders();
    if (request.method === 'HEAD') response.end();
    else answer.open(response);
    return;
  }
  response.status(answer.status).set('cache-control', 'no-cache');
  if (answer.is === 'empty') {
    response.set({ ...answer.headers }).end();
    return;
  }
  if (answer.is === 'json') response.set({ ...answer.headers, 'content-type': 'application/json; charset=utf-8' });
  else response.set('content-type', answer.contentType);
  end(response, answer.is === 'json' ? `${JSON.stringify(answer.body)}\n` : answer.text);
}

function answerError(log: ApiLog) {
  // Express tells an error handler by its four parameters.
  return (thrown: unknown, request: Request, response: Response, _next: NextFunction): void => {
    const limitBytes: unknown = response.locals.limitBytes;
    const error = errorOf(thrown, typeof limitBytes === 'number' ? limitBytes : 0);
    if (error === undefined || response.destroyed) return;
    const problem = problemOf(error);
    response.locals.code = problem.code;
    if (problem.status >= 500 && problem.status !== 501) {
      const cause = error.cause ?? error;
      log.error({ err: cause, method: request.method, path: request.path, code: problem.code }, 'a request failed');
    }
    if (response.headersSent) {
      response.destroy();
      return;
    }
    response.status(problem.status).set({ 'content-type': problemContentType, 'cache-control': 'no-store' });
    end(response, `${JSON.stringify(problem)}\n`);
  };
}

function end(response: Response, text: string): void {
  response.set('content-length', String(Buffer.byteLength(text))).end(text);
}

/**
 * A page on another site can make its visitor's browser send requests here, where the network is the only guard.
 * Browsers say where such a request comes from; other clients send no Origin.
 */
function refuseOtherOrigins(request: Request, _response: Response, next: NextFunction): void {
  const { origin, host } = request.headers;
  const isChange = !['GET', 'HEAD', 'OPTIONS'].includes(request.method);
  if (isChange && origin !== undefined && !isSameOrigin(origin, host))
    throw new ApiError('CROSS_ORIGIN', origin.slice(0, 200));
  next();
}

function isSameOrigin(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}

function observe(onAnswered: ApiOptions['onAnswered']) {
  return (request: Request, response: Response, next: NextFunction): void => {
    response.once('finish', () => {
      const { path, code }: { path?: unknown; code?: unknown } = response.locals;
      onAnswered?.({
        method: request.method,
        path: typeof path === 'string' ? path : 'other',
        status: response.statusCode,
        code: typeof code === 'string' ? code : '',
      });
    });
    next();
  };
}

function byPath(endpoints: readonly Endpoint[]): Map<string, Endpoint[]> {
  const paths = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) paths.set(endpoint.path, [...(paths.get(endpoint.path) ?? []), endpoint]);
  return paths;
}

function queryOf(url: string): string {
  const at = url.indexOf('?');
  return at < 0 ? '' : url.slice(at + 1);
}

function once<Value>(create: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: create() };
    return made.value;
  };
}
