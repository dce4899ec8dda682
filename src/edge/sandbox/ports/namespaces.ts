// The sandboxes by the host's numbers for their namespaces, by which the kernel tells where the other end of a pair is.

interface Namespace {
  readonly fd: number;
  /** The host's number for it, once it has one. */
  id: number | undefined;
}

export class SandboxNamespaces {
  readonly #idOf: (namespaceFd: number) => number | undefined;
  readonly #namespaces = new Map<string, Namespace>();
  readonly #byId = new Map<number, string>();

  /** @param idOf asks the kernel; undefined for one without a number */
  constructor(idOf: (namespaceFd: number) => number | undefined) {
    this.#idOf = idOf;
  }

  /** @param namespaceFd stays open until remove() @returns its number, when it has one already */
  add(sandbox: string, namespaceFd: number): number | undefined {
    const namespace: Namespace = { fd: namespaceFd, id: undefined };
    this.#namespaces.set(sandbox, namespace);
    this.#identify(sandbox, namespace);
    return namespace.id;
  }

  remove(sandbox: string): void {
    const id = this.#namespaces.get(sandbox)?.id;
    if (id !== undefined && this.#byId.get(id) === sandbox) this.#byId.delete(id);
    this.#namespaces.delete(sandbox);
  }

  has(sandbox: string): boolean {
    return this.#namespaces.has(sandbox);
  }

  sandboxIn(id: number): string | undefined {
    if (!this.#byId.has(id)) {
      // A namespace gets its number with its first interface that leads to the host.
      for (const [name, namespace] of this.#namespaces)
        if (namespace.id === undefined) this.#identify(name, namespace);
    }
    return this.#byId.get(id);
  }

  #identify(sandbox: string, namespace: Namespace): void {
    namespace.id = this.#idOf(namespace.fd);
    if (namespace.id !== undefined) this.#byId.set(namespace.id, sandbox);
  }
}
