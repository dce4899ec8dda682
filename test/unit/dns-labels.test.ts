import assert from "node:assert/strict";
import { test } from "node:test";
import { renderUpstream } from "../../src/core/dns/upstream-text.ts";
import { readDnsLabels } from "../../src/core/labels/dns.ts";
import type { Network } from "../../src/core/model/topology.ts";

const network = (labels: Readonly<Record<string, string>>): Network => ({
  id: "n1",
  name: "web",
  driver: "bridge",
  bridge: "br-n1",
  subnets: [],
  gateways: [],
  internal: false,
  labels,
});

const accepted: readonly {
  readonly labels: Readonly<Record<string, string>>;
  readonly upstreams?: readonly string[];
  readonly types?: readonly number[];
}[] = [
  { labels: {} },
  { labels: { "dockerwall.upstream": "192.0.2.1" }, upstreams: ["192.0.2.1 port 53"] },
  {
    labels: { "dockerwall.upstream": " 192.0.2.1,\n tls://192.0.2.2#dns.example.org " },
    upstreams: ["192.0.2.1 port 53", "tls://192.0.2.2:853#dns.example.org"],
  },
  { labels: { "dockerwall.types": "TXT" }, types: [16] },
  { labels: { "dockerwall.types": "txt, naptr TYPE65280\nsshfp" }, types: [16, 35, 65280, 44] },
];
for (const { labels, upstreams, types } of accepted) {
  test(`labels: ${JSON.stringify(labels)}`, () => {
    const { dns, problems } = readDnsLabels(network(labels));
    assert.deepEqual(problems, []);
    assert.deepEqual(dns.upstreams?.map(renderUpstream), upstreams);
    assert.deepEqual(dns.types, types ?? []);
  });
}

const refused: readonly {
  readonly labels: Readonly<Record<string, string>>;
  readonly upstreams?: readonly string[];
  readonly problem: RegExp;
}[] = [
  {
    labels: { "dockerwall.upstream": "192.0.2.1 dns.example.org" },
    upstreams: [],
    problem:
      /^network "web", label dockerwall.upstream: entry "dns.example.org" at column 11: it is not ADDRESS, .*; nothing is looked up/,
  },
  { labels: { "dockerwall.upstream": "" }, upstreams: [], problem: /dockerwall.upstream: it is empty/ },
  {
    labels: { "dockerwall.upstream": Array.from({ length: 9 }, (_, i) => `192.0.2.${i}`).join() },
    upstreams: Array.from({ length: 8 }, (_, i) => `192.0.2.${i} port 53`),
    problem: /names 9 resolvers; only the first 8 are asked/,
  },
  ...["TXTT", "ANY", "AXFR", "OPT", "TSIG", "TYPE0", "TYPE255", "TYPE65535", "TYPE99999", "16"].map(
    (type) => ({
      labels: { "dockerwall.types": `TXT ${type}` },
      problem: new RegExp(`label dockerwall.types: entry "${type}" at column 5: .* only the default types`),
    }),
  ),
];
for (const { labels, upstreams, problem } of refused) {
  test(`bad labels: ${JSON.stringify(labels)}`, () => {
    const { dns, problems } = readDnsLabels(network(labels));
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", problem);
    assert.deepEqual(dns.upstreams?.map(renderUpstream), upstreams);
    assert.deepEqual(dns.types, []);
  });
}
