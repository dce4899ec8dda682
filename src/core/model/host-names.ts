// Names by which containers know their host, if they are given them (`extra_hosts: NAME:host-gateway`): no resolver has
// them, and a name opens nothing of the host.

const hostNames: ReadonlySet<string> = new Set(["host.docker.internal", "gateway.docker.internal"]);

export function isHostName(name: string): boolean {
  return hostNames.has(name);
}
