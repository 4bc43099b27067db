/** What requests are addressed to, read once: an application asks for the same few names again and again. */
import { type Authority, meshName, parseAuthority } from '../view/mesh-name.ts';

export interface Addressee extends Authority {
  /** As it was written. */
  readonly text: string;
  /** As the mesh may know it; undefined for what can be no name. */
  readonly name: string | undefined;
}

/** So many are remembered; then all are forgotten: clients decide what stands here. */
const mostRemembered = 1_024;

export class Authorities {
  readonly #namespace: string;
  readonly #known = new Map<string, Addressee>();

  /** `namespace`: of names that are written without one. */
  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  /** Undefined for what is no authority. */
  read(text: string): Addressee | undefined {
    return this.#known.get(text) ?? this.#parse(text);
  }

  #parse(text: string): Addressee | undefined {
    const authority = parseAuthority(text);
    if (authority === undefined) return undefined;
    const addressee = { ...authority, text, name: meshName(authority.host, this.#namespace) };
    if (this.#known.size >= mostRemembered) this.#known.clear();
    this.#known.set(text, addressee);
    return addressee;
  }
}
