// The main job seen from inside the host: the host itself, neighbours, and who comes in by a published port.

import assert from "node:assert/strict";
import { curl, fails, run, succeeds } from "../../support/dockerwall.ts";
import { until } from "../../support/lab/command.ts";
import type { Lab } from "../../support/lab/lab.ts";

/** Image and command of a web server. */
const server = (port: string): string[] => ["client:lab", "python3", "-m", "http.server", port];

/** Nothing that listens on the host can be reached by any of its addresses. */
export async function keepsHostClosed(lab: Lab, name: string): Promise<void> {
  const engine = lab.engine(name);
  const gatewayOf = (network: string): Promise<string> =>
    run(engine, "network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", network);
  const [gateway, plainGateway] = [await gatewayOf("app"), await gatewayOf("plain")];
  await run(engine, "run", "-d", "--name", "on-host", "--network", "host", ...server("8099"));
  const retry = ["--retry", "5", "--retry-connrefused"];
  await succeeds(engine, "before", ...curl(...retry, `http://${plainGateway}:8099/`));
  for (const address of [gateway, plainGateway, engine.link.host]) {
    await fails(engine, "web", ...curl("--max-time", "1", `http://${address}:8099/`));
  }
  await run(engine, "rm", "-f", "on-host");
}

/** By name, alias and address, as Docker's own resolver does. */
export async function resolvesNeighbours(lab: Lab, name: string): Promise<void> {
  const engine = lab.engine(name);
  const alias = ["--network-alias", "store"];
  await run(engine, "run", "-d", "--name", "db", "--network", "app", ...alias, ...server("8000"));
  for (const host of ["db", "store", "db.app"]) {
    await succeeds(engine, "web", ...curl("--retry", "5", "--retry-connrefused", `http://${host}:8000/`));
  }
  const address = (await succeeds(engine, "web", "dig", "+short", "db")).trim();
  assert.match(await succeeds(engine, "web", "dig", "+short", "-x", address), /^db\.app\.$/m);
}

/** To who comes from outside. */
export async function answersOnPublishedPorts(lab: Lab, name: string): Promise<void> {
  const engine = lab.engine(name);
  const ports = ["-p", "8088:8000"];
  await run(engine, "run", "-d", "--name", "published", "--network", "app", ...ports, ...server("8000"));
  const request = `exec 3<>/dev/tcp/${engine.link.host}/8088 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3`;
  const answer = await until("an answer from the published port", 30_000, async () => {
    const { stdout } = await lab.internet.exec(["timeout", "3", "bash", "-c", request]);
    return stdout === "" ? undefined : stdout;
  });
  assert.match(answer, /^HTTP\/1\.0 200/);
}
