/** Starts the API on a free port over a fake control plane, and asks it; every answer is held against its schema. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'chai';
import type { AnsweredRequest, ApiOptions } from '../../../dashboard-api/api.ts';
import { type RunningApi, startApi } from '../../../dashboard-api/start-api.ts';
import { FakeControlPlane } from './fake-control-plane.ts';

export interface Got {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; undefined when it is not JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every form, and say what they expect of it
  readonly body: any;
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly yaml?: string;
  readonly json?: unknown;
  readonly raw?: { readonly type?: string; readonly bytes: string | Uint8Array };
  readonly signal?: AbortSignal;
}

interface Description {
  readonly document: Got['body'];
  readonly ajv: Ajv2020;
}

/** The same for every API, and not quick to compile. */
let description: Description | undefined;

export class ApiUnderTest {
  readonly fake = new FakeControlPlane();
  readonly logged: object[] = [];
  readonly answered: AnsweredRequest[] = [];
  #running: RunningApi | undefined;

  async start(options: Partial<ApiOptions> = {}): Promise<void> {
    this.#running = await startApi(this.fake.ports, {
      listen: { host: '127.0.0.1', port: 0 },
      log: { error: (fields) => this.logged.push(fields) },
      version: '1.2.3',
      onAnswered: (request) => this.answered.push(request),
      ...options,
    });
  }

  get address(): string {
    return this.#running?.address ?? '';
  }

  get url(): string {
    return `http://${this.address}`;
  }

  async stop(): Promise<void> {
    await this.#running?.close();
  }

  async ask(path: string, options: AskOptions = {}): Promise<Got> {
    const { yaml, json, raw, headers = {}, signal } = options;
    const body = yaml ?? (json === undefined ? raw?.bytes : JSON.stringify(json));
    const type = yaml === undefined ? (json === undefined ? raw?.type : 'application/json') : 'application/yaml';
    const response = await fetch(this.url + path, {
      method: options.method ?? (body === undefined ? 'GET' : 'POST'),
      headers: { ...(type === undefined ? {} : { 'content-type': type }), ...headers },
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    });
    const text = await response.text();
    const isJson = text !== '' && /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined };
  }

  /** Asks, expects the status, and holds the answer against what /openapi.json says of it. */
  async expect(status: number, path: string, options: AskOptions = {}): Promise<Got> {
    const got = await this.ask(path, options);
    expect(got.status, `${path}: ${got.text}`).to.equal(status);
    await this.#conforms(path, options.method ?? (hasBody(options) ? 'POST' : 'GET'), got);
    return got;
  }

  async #description(): Promise<Description> {
    if (description === undefined) {
      const document = (await this.ask('/openapi.json')).body;
      const ajv = new Ajv2020({ strict: false, validateFormats: false });
      ajv.addSchema({ $id: 'api', components: document.components });
      description = { document, ajv };
    }
    return description;
  }

  async #conforms(path: string, method: string, got: Got): Promise<void> {
    if (got.body === undefined) return;
    const { document, ajv } = await this.#description();
    const plain = path.split('?')[0] ?? '';
    const template = Object.keys(document.paths).find((each) => matches(each, plain));
    const responses = template === undefined ? undefined : document.paths[template][method.toLowerCase()]?.responses;
    const described = responses?.[got.status] ?? responses?.default;
    const content = described?.content?.['application/json'] ?? described?.content?.['application/problem+json'];
    if (content === undefined) return;
    const schema = JSON.parse(JSON.stringify(content.schema).replaceAll('"#/components', '"api#/components'));
    const isValid = ajv.validate(schema, got.body);
    expect(isValid, `${method} ${path} answered what is not described: ${ajv.errorsText()}\n${got.text}`).to.equal(
      true,
    );
  }
}

function hasBody({ yaml, json, raw }: AskOptions): boolean {
  return yaml !== undefined || json !== undefined || raw !== undefined;
}

function matches(template: string, path: string): boolean {
  return new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path);
}

/** A Route that sends `share` % of reviews to v2. */
export function canary(share: number, extra: { name?: string; namespace?: string; labels?: string } = {}): string {
  const { name = 'canary', namespace = 'default', labels = '{}' } = extra;
  return `apiVersion: sluice.dev/v1
kind: Route
metadata: { name: ${name}, namespace: ${namespace}, labels: ${labels} }
spec:
  service: reviews
  rules:
    - backends: [ { subset: v1, weight: ${100 - share} }, { subset: v2, weight: ${share} } ]
`;
}

export const service = (name: string, namespace = 'default'): string =>
  `apiVersion: sluice.dev/v1\nkind: Service\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: {}\n`;
