// Off-path attackers flood forged answers against a slow upstream: no forged address enters an answer or a
// kernel set, and lookups are answered all the same. Ten seconds of it; DOCKERWALL_LONG=1 makes it a minute.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import type { IpAddress } from "../../../src/core/model/address.ts";
import { startAdmission } from "../../../src/data/admission.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { monotonicMs } from "../../../src/edge/kernel/monotonic.ts";
import { decodeMessage, plainName, rawMessage, rawQuestion } from "../../support/dns-bytes.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { type OneNetwork, startOneNetwork } from "../../support/one-network.ts";

enterNamespaces(import.meta.url);

const forMs = process.env["DOCKERWALL_LONG"] === "1" ? 60_000 : 10_000;
/** Far fewer than a host has, so that forged answers find open ports. */
const ports = [40_000, 40_255] as const;
const truth = "203.0.113.1";
/** Everything of the forger's; what it says is in here. */
const lie = "203.0.113.66";
const askers = Array.from({ length: 16 }, (_, index) => `198.18.0.${index + 2}` as IpAddress);

/** The data plane from a question to the kernel's sets, for one network that allows every name. */
function startAnswerer(port: number): OneNetwork {
  const sets = openKernelSets();
  createSets(sets);
  return startOneNetwork({
    allow: "*.victim.example.org",
    upstreams: [{ address: "127.0.0.1" as IpAddress, port }],
    options: { admission: startAdmission({ sets, graceSeconds: 0, nowMs: monotonicMs }) },
  });
}

/** Datagrams that the kernel has given to a socket in this namespace. */
function receivedDatagrams(): number {
  const [names = "", values = ""] = readFileSync("/proc/net/snmp", "utf8").match(/^Udp: .*$/gm) ?? [];
  return Number(values.split(" ")[names.split(" ").indexOf("InDatagrams")]);
}

test("forged answers open nothing", { timeout: forMs + 30_000 }, async (t) => {
  writeFileSync("/proc/sys/net/ipv4/ip_local_port_range", ports.join(" "));
  const forger = spawn(
    process.execPath,
    [...process.execArgv, new URL("../../support/forger.ts", import.meta.url).pathname, ...ports.map(String)],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const lines = createInterface({ input: forger.stdout })[Symbol.asyncIterator]();
  const { answerer, problems } = startAnswerer(Number((await lines.next()).value));
  const seen = new Map<string, number>();
  const deadline = performance.now() + forMs;
  let number = 0;
  const ask = async (asker: IpAddress): Promise<void> => {
    while (performance.now() < deadline) {
      const question = rawQuestion(plainName(`n${number++}.victim.example.org`));
      const answer = await new Promise<Uint8Array | undefined>((resolve) =>
        answerer.fromHost(rawMessage({ body: [question] }), "udp", { address: asker }, resolve),
      );
      const { rcode, answers } = decodeMessage(answer ?? assert.fail("silence"));
      const said = answers.map((line) => line.split(" ").at(-1)).join() || rcode;
      seen.set(said, (seen.get(said) ?? 0) + 1);
    }
  };
  await Promise.all(askers.map(ask));
  forger.stdin.end();
  const { sent, asked } = JSON.parse((await lines.next()).value ?? "") as { sent: number; asked: number };
  // What arrived besides our queries and the true answers to them.
  const arrived = receivedDatagrams() - 2 * asked;
  const answered = seen.get(truth) ?? 0;
  const failed = seen.get("SERVFAIL") ?? 0;
  t.diagnostic(
    `${sent} forged answers, ${arrived} of them at an open socket; ${answered} lookups answered, ${failed} failed`,
  );
  assert.deepEqual(
    [...seen.keys()].filter((what) => what !== truth && what !== "SERVFAIL"),
    [],
  );
  const kernel = run("ipset", "save");
  assert.ok(!kernel.includes(lie), "a forged address is in a kernel set");
  assert.equal(new Set(kernel.match(/203\.0\.113\.\d+/g)).size, 1);
  for (const asker of askers) assert.match(kernel, new RegExp(`${truth.replaceAll(".", "\\.")},.*${asker}`));
  // Otherwise it was no attack.
  assert.ok(sent > forMs * 10 && arrived > forMs / 50, `${sent} sent, ${arrived} arrived`);
  assert.ok(failed <= answered / 100, `${problems.join("\n")}`);
});
