// DNS over TLS and over HTTPS, and plain DNS, asked of a real server: unbound out of Debian's package.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseUpstream } from "../../../../../src/core/dns/upstream-text.ts";
import { walkAnswer } from "../../../../../src/core/dns/wire/answer/walk.ts";
import { nameFromPlainText, nameText, rootName } from "../../../../../src/core/dns/wire/name.ts";
import type { Question } from "../../../../../src/core/dns/wire/question.ts";
import { defaultResolverSettings, Resolver } from "../../../../../src/edge/upstream/resolver.ts";
import { makeCertificate } from "../../../../support/certificate.ts";
import { cannotUnpack, endServer, spawnUnbound } from "../../../../support/debian-server.ts";
import { until } from "../../../../support/lab/command.ts";

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

function questionFor(text: string, type = 1): Question {
  const qname = nameFromPlainText(text) ?? rootName;
  return { name: nameText(qname), qname, type };
}

test("unbound answers over UDP, TLS and HTTPS", { skip: cannotUnpack, timeout: 120_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "dockerwall-unbound-"));
  const certificate = makeCertificate();
  const [plain, tls, https] = await Promise.all([freePort(), freePort(), freePort()]);
  writeFileSync(join(folder, "key.pem"), certificate.key);
  writeFileSync(join(folder, "cert.pem"), certificate.cert);
  const addresses = Array.from(
    { length: 200 },
    (_, index) => `  local-data: "many.example.org. 300 IN A 198.51.100.${index}"`,
  );
  const conf = join(folder, "unbound.conf");
  writeFileSync(
    conf,
    `server:
${[plain, tls, https].map((port) => `  interface: 127.0.0.1@${port}`).join("\n")}
  tls-port: ${tls}
  https-port: ${https}
  http-endpoint: "/dns-query"
  tls-service-key: "${folder}/key.pem"
  tls-service-pem: "${folder}/cert.pem"
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "${folder}"
  pidfile: "${folder}/pid"
  use-syslog: no
  verbosity: 0
  local-zone: "." static
  local-data: "www.example.org. 300 IN A 203.0.113.5"
${addresses.join("\n")}
remote-control:
  control-enable: no
`,
  );
  const server = await spawnUnbound(conf);
  const authority = { authorities: certificate.cert };
  try {
    for (const text of [
      `127.0.0.1:${plain}`,
      `tls://127.0.0.1:${tls}#dns.example.org`,
      `tls://127.0.0.1:${tls}`,
      `https://127.0.0.1:${https}/dns-query#dns.example.org`,
      `https://127.0.0.1:${https}`,
    ]) {
      await t.test(text.replace(/:\d+/, ""), async () => {
        const parsed = parseUpstream(text);
        assert.ok(parsed !== undefined);
        const upstream =
          parsed.tls === undefined ? parsed : { ...parsed, tls: { ...parsed.tls, ...authority } };
        const resolver = new Resolver({ ...defaultResolverSettings, upstreams: [upstream] });
        const addressesOf = async (name: string): Promise<number> => {
          const question = questionFor(name);
          const walked = walkAnswer(await resolver.query(question, "a"), question);
          assert.equal(walked.kind, "answer");
          return walked.kind === "answer" ? walked.addresses.length : 0;
        };
        try {
          await until("unbound to answer", 10_000, () =>
            addressesOf("www.example.org").catch(() => undefined),
          );
          assert.equal(await addressesOf("www.example.org"), 1);
          assert.equal(await addressesOf("nowhere.example.org"), 0);
          // Too long for a datagram.
          assert.equal(await addressesOf("many.example.org"), 200);
          const counts = await Promise.all(
            Array.from({ length: 300 }, (_, index) => addressesOf(`n${index}.example.org`)),
          );
          assert.deepEqual(new Set(counts), new Set([0]));
        } finally {
          resolver.close();
        }
      });
    }
  } finally {
    await endServer(server);
    rmSync(folder, { recursive: true });
  }
});
