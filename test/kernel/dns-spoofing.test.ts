// Off-path attackers flood forged answers against a slow upstream; none is believed and every lookup is answered.
// Ten seconds of it; DOCKERWALL_LONG=1 makes it a minute.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { walkAnswer } from "../../src/dns/answer.ts";
import { nameFromPlainText, nameText, rootName } from "../../src/dns/name.ts";
import type { Question } from "../../src/dns/question.ts";
import { createResolver, defaultResolverSettings } from "../../src/io/upstream.ts";
import type { IpAddress } from "../../src/model/address.ts";
import { enterNamespaces } from "../support/namespace.ts";

enterNamespaces(import.meta.url);

const forMs = process.env["DOCKERWALL_LONG"] === "1" ? 60_000 : 10_000;
/** Far fewer than a host has, so that forged answers find open ports. */
const ports = [40_000, 40_255] as const;

test("forged answers open nothing", { timeout: forMs + 30_000 }, async (t) => {
  writeFileSync("/proc/sys/net/ipv4/ip_local_port_range", ports.join(" "));
  const forger = spawn(
    process.execPath,
    [...process.execArgv, new URL("../support/forger.ts", import.meta.url).pathname, ...ports.map(String)],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const lines = createInterface({ input: forger.stdout })[Symbol.asyncIterator]();
  const port = Number((await lines.next()).value);
  const resolver = createResolver({
    ...defaultResolverSettings,
    upstreams: [{ address: "127.0.0.1" as IpAddress, port }],
  });
  const seen = new Map<string, number>();
  const note = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
  const deadline = performance.now() + forMs;
  let number = 0;
  const ask = async (): Promise<void> => {
    while (performance.now() < deadline) {
      const qname = nameFromPlainText(`n${number++}.victim.example.org`) ?? rootName;
      const question: Question = { name: nameText(qname), qname, type: 1 };
      try {
        const walked = walkAnswer(await resolver.query(question, "a"), question);
        const addresses = walked.kind === "answer" ? walked.addresses.map(({ address }) => address) : [];
        note(addresses.join() || "nothing");
      } catch {
        note("failed");
      }
    }
  };
  await Promise.all(Array.from({ length: 16 }, ask));
  const { ignored } = resolver.stats();
  resolver.close();
  forger.stdin.end();
  const sent = Number((await lines.next()).value);
  const answered = seen.get("203.0.113.1") ?? 0;
  t.diagnostic(
    `${sent} forged answers, ${ignored} of them at an open socket; ${answered} lookups answered, ${seen.get("failed") ?? 0} failed`,
  );
  assert.deepEqual(
    [...seen.keys()].filter((what) => what !== "203.0.113.1" && what !== "failed"),
    [],
  );
  assert.ok(sent > forMs && ignored > 200, `${sent} sent, ${ignored} ignored`);
  assert.ok((seen.get("failed") ?? 0) <= answered / 100, JSON.stringify([...seen]));
});
