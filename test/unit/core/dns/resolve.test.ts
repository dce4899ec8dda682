import assert from "node:assert/strict";
import { test } from "node:test";
import dnsPacket from "dns-packet";
import { NoTurnError } from "../../../../src/core/dns/no-turn-error.ts";
import { canaryName, isOurDenial } from "../../../../src/core/dns/probe.ts";
import type { AnswerGrant, LocalAnswer, ResolveRequest } from "../../../../src/core/dns/resolve/request.ts";
import type { Outcome, Resolution } from "../../../../src/core/dns/resolve/resolution.ts";
import { resolveQuery } from "../../../../src/core/dns/resolve.ts";
import { walkAnswer } from "../../../../src/core/dns/wire/answer/walk.ts";
import { payloadLimit } from "../../../../src/core/dns/wire/message.ts";
import { parseQuery, type Query } from "../../../../src/core/dns/wire/question.ts";
import { respondNow } from "../../../../src/core/dns/wire/respond.ts";
import type { IpAddress, Prefix } from "../../../../src/core/model/address.ts";
import { anyService } from "../../../../src/core/model/service.ts";
import type { MatchedEntry } from "../../../../src/core/policy/decide/policy.ts";
import type { Decision, Denial } from "../../../../src/core/policy/decide.ts";
import { rawMessage, rawQuestion, wireName } from "../../../support/dns-bytes.ts";
import { entriesOf, filterOf } from "../../../support/policies.ts";
import { give } from "../../../support/takers.ts";

type Answers = dnsPacket.Answer[];

const exact: Decision = {
  allowed: true,
  services: [anyService],
  exact: true,
  endsAtMs: undefined,
  terms: [],
  by: [],
};
const wildcard: Decision = {
  allowed: true,
  services: [anyService],
  exact: false,
  endsAtMs: undefined,
  terms: [],
  by: [],
};
const denied: Decision = { allowed: false, network: "web", by: [] };

function queryFor(name: string, type: dnsPacket.RecordType | "ANY" = "A", edns = true, ednsFlags = 0): Query {
  const opt = {
    type: "OPT",
    name: ".",
    udpPayloadSize: 1232,
    flags: ednsFlags,
    options: [],
  } as unknown as Answers[number];
  const bytes = dnsPacket.encode({
    type: "query",
    id: 0x1234,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type: type as dnsPacket.RecordType }],
    additionals: edns ? [opt] : [],
  });
  const parsed = parseQuery(bytes);
  assert.equal(parsed.kind, "query");
  return parsed as Query;
}

/** For the address of a name of these labels, each as it is. */
function queryOf(...labels: readonly string[]): Query {
  const parsed = parseQuery(rawMessage({ body: [rawQuestion(wireName(...labels))] }));
  assert.ok(parsed.kind === "query");
  return parsed;
}

interface World {
  readonly query: Query;
  readonly limit?: number;
  readonly decision?: Decision;
  readonly answers?: Answers;
  readonly authorities?: Answers;
  readonly rcode?: number;
  readonly local?: LocalAnswer;
  readonly admitFails?: boolean;
  readonly upstreamFails?: boolean;
  readonly noTurn?: NoTurnError["reason"];
  readonly families?: readonly (4 | 6)[];
  readonly isInside?: boolean;
  readonly stale?: boolean;
  readonly named?: readonly Prefix[];
  readonly own?: ResolveRequest["filter"]["own"];
  readonly mayReverse?: ResolveRequest["mayReverse"];
  readonly isAboveAllowed?: boolean;
  readonly ageSeconds?: number;
  /** Asked with an answer that comes in a later turn. */
  readonly isAllowedStill?: () => boolean;
  readonly audit?: boolean;
  /** Filled with the addresses that are judged. */
  readonly judged?: IpAddress[];
}

async function run(world: World) {
  const order: string[] = [];
  const grants: AnswerGrant[] = [];
  const { query } = world;
  const filter = filterOf(world.own, world.named);
  const request: ResolveRequest = {
    query,
    decision: world.decision ?? exact,
    limit: world.limit ?? payloadLimit(query.edns, "udp"),
    families: new Set(world.families ?? [4, 6]),
    isInside: world.isInside ?? false,
    extraTypes: new Set(),
    audit: world.audit ?? false,
    filter: {
      ...filter,
      judge(address, inside) {
        world.judged?.push(address);
        return filter.judge(address, inside);
      },
    },
    lease: { floorSeconds: 60, graceSeconds: 300, ceilingSeconds: 86_400 },
    findLocal: () => world.local,
    isAboveAllowed: () => world.isAboveAllowed ?? false,
    ...(world.mayReverse === undefined ? {} : { mayReverse: world.mayReverse }),
    ...(world.isAllowedStill === undefined ? {} : { isAllowedStill: world.isAllowedStill }),
    lookup: (_, taker) => {
      order.push("upstream");
      if (world.upstreamFails === true) throw new Error("no upstream");
      if (world.noTurn !== undefined) throw new NoTurnError(world.noTurn);
      const message = dnsPacket.encode({
        type: "response",
        id: 1,
        flags: dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE | (world.rcode ?? 0),
        questions: [
          {
            name: query.question.name,
            type:
              dnsPacket.decode(
                Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]), query.questionBytes]),
              ).questions?.[0]?.type ?? "A",
          },
        ],
        answers: world.answers ?? [],
        authorities: world.authorities ?? [],
      });
      const take = (): void =>
        taker.take({
          answer: walkAnswer(message, query.question),
          ageSeconds: world.ageSeconds ?? 0,
          stale: world.stale ?? false,
          kept: undefined,
        });
      if (world.isAllowedStill === undefined) take();
      else setImmediate(take);
    },
    admit: (wanted, taker) =>
      give(taker, async () => {
        order.push("admit");
        if (world.admitFails === true) throw new Error("set full");
        grants.push(...wanted);
      }),
  };
  const resolution = await new Promise<Resolution>((resolve) => resolveQuery(request, resolve));
  return { resolution, grants, order, decoded: dnsPacket.decode(Buffer.from(resolution.bytes)) };
}

function rcodeOf(decoded: dnsPacket.DecodedPacket): string {
  return (decoded as unknown as { rcode: string }).rcode;
}

test("an allowed name is granted before it is answered", async () => {
  const query = queryFor("api.example.org");
  const { resolution, grants, order, decoded } = await run({
    query,
    answers: [
      { type: "CNAME", name: "api.example.org", ttl: 30, data: "edge.example.net" },
      { type: "A", name: "edge.example.net", ttl: 600, data: "203.0.113.7" },
      { type: "A", name: "unrelated.example.net", ttl: 600, data: "203.0.113.99" },
    ],
  });
  assert.deepEqual(order, ["upstream", "admit"]);
  assert.deepEqual(
    grants.map(({ address, domain, leaseSeconds }) => ({ address, domain, leaseSeconds })),
    [{ address: "203.0.113.7", domain: "api.example.org", leaseSeconds: 360 }],
  );
  assert.equal(resolution.outcome, "answered");
  assert.equal(decoded.id, 0x1234);
  assert.deepEqual(
    decoded.answers?.map((a) => [
      a.type,
      a.name,
      (a as { ttl?: number }).ttl,
      (a as { data?: unknown }).data,
    ]),
    [
      ["CNAME", "api.example.org", 30, "edge.example.net"],
      ["A", "edge.example.net", 30, "203.0.113.7"],
    ],
  );
});

test("a denied name never reaches upstream and says why", async () => {
  const { resolution, order, decoded } = await run({ query: queryFor("evil.example.com"), decision: denied });
  assert.deepEqual(order, []);
  assert.equal(resolution.outcome, "denied");
  assert.equal(rcodeOf(decoded), "NXDOMAIN");
  assert.equal(decoded.authorities?.[0]?.type, "SOA");
  assert.ok(Buffer.from(resolution.bytes).includes("not in dockerwall.allow of web"));
});

const taking = (source: string): MatchedEntry => ({
  entry: entriesOf("!evil.example.com")[0] ?? assert.fail(),
  source,
  endsAtMs: undefined,
});

const reasons: readonly [name: string, denial: Partial<Denial>, said: string][] = [
  [
    "a ! entry of its network",
    { by: [taking('network "web", label dockerwall.allow')] },
    "a ! entry of web takes it away",
  ],
  [
    "a ! entry of its own label",
    { by: [taking('container "x", label dockerwall.allow')] },
    "a ! entry of the container takes it away",
  ],
  [
    "the policy file",
    { by: [taking('network "web", policy file')] },
    "a ! entry of web in the policy file takes it away",
  ],
  ["a command", { by: [taking('network "web", command !evil.example.com')] }, "denied by command"],
  [
    "a ! entry of a network with a name like a list's",
    { by: [taking('network "a\\", command x", label dockerwall.allow')] },
    "a ! entry of web takes it away",
  ],
  ["a quarantine", { because: "quarantine" }, "the container is in quarantine"],
  ["a bad list", { because: "unreadable" }, "a list of web cannot be read, so nothing is allowed"],
];

for (const [name, denial, said] of reasons) {
  test(`a name that is denied by ${name} says so, and our own question is denied as ever`, async () => {
    const decision = { ...denied, ...denial };
    const { decoded } = await run({ query: queryFor("evil.example.com"), decision });
    assert.equal(errorOf(decoded), `15 ${said}`);
    const { resolution } = await run({ query: queryFor(canaryName), decision });
    assert.ok(isOurDenial(resolution.bytes));
  });
}

test("a failed grant opens nothing and is a SERVFAIL", async () => {
  const { resolution, decoded } = await run({
    query: queryFor("api.example.org"),
    answers: [{ type: "A", name: "api.example.org", ttl: 30, data: "203.0.113.7" }],
    admitFails: true,
  });
  assert.equal(resolution.outcome, "failed");
  assert.equal(rcodeOf(decoded), "SERVFAIL");
  assert.deepEqual(decoded.answers, []);
  assert.deepEqual(resolution.granted, []);
});

test("private addresses are left out and opened for nobody", async () => {
  const { resolution, grants, decoded } = await run({
    query: queryFor("rebind.example.org"),
    answers: [
      { type: "A", name: "rebind.example.org", ttl: 30, data: "10.0.0.5" },
      { type: "A", name: "rebind.example.org", ttl: 30, data: "203.0.113.8" },
    ],
  });
  assert.deepEqual(
    grants.map((g) => g.address),
    ["203.0.113.8"],
  );
  assert.deepEqual(resolution.refused, ["10.0.0.5"]);
  assert.equal(decoded.answers?.length, 1);
});

test("no more addresses are judged than one answer may tell, whatever becomes of them", async () => {
  const name = "many.example.org";
  const manyIn = (net: string): Answers =>
    Array.from({ length: 2_000 }, (_, i) => ({
      type: "A",
      name,
      ttl: 30,
      data: `${net}.${i >> 8}.${i & 255}`,
    }));
  for (const [net, audit, granted, refused] of [
    ["203.0", false, 256, 0],
    ["10.0", false, 0, 256],
    ["203.0", true, 256, 0],
    ["10.0", true, 256, 256],
  ] as const) {
    const judged: IpAddress[] = [];
    const { resolution, grants, decoded } = await run({
      query: queryFor(name),
      limit: 65_535,
      answers: manyIn(net),
      audit,
      judged,
    });
    assert.equal(judged.length, 256);
    assert.equal(resolution.granted.length, granted);
    assert.equal(resolution.refused.length, refused);
    assert.equal(resolution.excess, 2_000 - 256);
    assert.equal(grants.length, 256 - refused);
    assert.equal(decoded.answers?.length, granted);
  }
});

const local: readonly {
  name: string;
  world: World;
  rcode: string;
  answers?: number;
  outcome?: Outcome;
}[] = [
  {
    name: "AAAA without IPv6",
    world: { query: queryFor("api.example.org", "AAAA"), families: [4] },
    outcome: "no-family",
    rcode: "NOERROR",
  },
  {
    name: "TXT under a wildcard",
    world: { query: queryFor("x.example.org", "TXT"), decision: wildcard },
    outcome: "not-served",
    rcode: "NOERROR",
  },
  {
    name: "a type not served",
    world: { query: queryFor("x.example.org", "SSHFP") },
    rcode: "NOERROR",
    outcome: "not-served",
  },
  {
    name: "ANY",
    world: { query: queryFor("x.example.org", "ANY") },
    rcode: "NOERROR",
    answers: 1,
    outcome: "not-served",
  },
  { name: "one label", world: { query: queryFor("printer") }, rcode: "NXDOMAIN" },
  { name: "canary", world: { query: queryFor("use-application-dns.net") }, rcode: "NXDOMAIN" },
  {
    name: "our canary, in audit mode too",
    world: { query: queryFor("dockerwall-canary.invalid"), decision: denied, audit: true },
    rcode: "NXDOMAIN",
  },
  {
    name: "our canary, whatever allows it or a name below it",
    world: { query: queryFor("Dockerwall-Canary.invalid"), decision: wildcard, isAboveAllowed: true },
    rcode: "NXDOMAIN",
  },
  {
    name: "our canary, though Docker knows it as a name of its own",
    world: {
      query: queryFor("dockerwall-canary.invalid"),
      local: { kind: "addresses", addresses: ["198.18.0.3" as IpAddress] },
    },
    rcode: "NXDOMAIN",
  },
  {
    name: "a name of one label that ends as those below localhost do",
    world: { query: queryOf("x.localhost"), decision: denied },
    rcode: "NXDOMAIN",
  },
  {
    name: "localhost",
    world: { query: queryFor("localhost"), decision: denied },
    rcode: "NOERROR",
    answers: 1,
  },
  {
    name: "below localhost",
    world: { query: queryFor("a.LocalHost", "AAAA"), decision: denied },
    rcode: "NOERROR",
    answers: 1,
  },
  {
    name: "localhost without IPv6",
    world: { query: queryFor("localhost", "AAAA"), decision: denied, families: [4] },
    outcome: "local",
    rcode: "NOERROR",
  },
  {
    name: "A without IPv4",
    world: { query: queryFor("api.example.org"), families: [6] },
    rcode: "NOERROR",
    outcome: "no-family",
  },
  {
    name: "an allowed name, from internal networks only",
    world: { query: queryFor("api.example.org"), isInside: true },
    rcode: "SERVFAIL",
    outcome: "internal",
  },
  {
    name: "the same in audit mode",
    world: { query: queryFor("evil.example.com"), decision: denied, audit: true, isInside: true },
    rcode: "SERVFAIL",
    outcome: "internal",
  },
  {
    name: "a denied name, from internal networks only",
    world: { query: queryFor("evil.example.com"), decision: denied, isInside: true },
    rcode: "NXDOMAIN",
    outcome: "denied",
  },
  {
    name: "Docker's own name, from internal networks only",
    world: { query: queryFor("db"), local: { kind: "pointers", targets: [] }, isInside: true },
    rcode: "NOERROR",
    outcome: "local",
  },
  {
    name: "ANY of a denied name",
    world: { query: queryFor("evil.example.com", "ANY"), decision: denied },
    rcode: "NXDOMAIN",
  },
  {
    name: "HTTPS of a denied name",
    world: { query: queryFor("evil.example.com", "UNKNOWN_65" as dnsPacket.RecordType), decision: denied },
    rcode: "NXDOMAIN",
  },
  { name: "the root", world: { query: queryFor(".", "NS"), decision: denied }, rcode: "NXDOMAIN" },
  {
    name: "PTR of an address that is not open",
    world: { query: queryFor("7.113.0.203.in-addr.arpa", "PTR"), decision: denied, mayReverse: () => false },
    rcode: "NXDOMAIN",
  },
  {
    name: "PTR of a zone",
    world: { query: queryFor("113.0.203.in-addr.arpa", "PTR"), decision: denied, mayReverse: () => true },
    rcode: "NXDOMAIN",
  },
  {
    name: "A of a reverse name",
    world: { query: queryFor("7.113.0.203.in-addr.arpa"), decision: denied, mayReverse: () => true },
    rcode: "NXDOMAIN",
  },
  {
    name: "Docker's own name",
    world: { query: queryFor("db"), decision: denied, local: { kind: "pointers", targets: [] } },
    outcome: "local",
    rcode: "NOERROR",
  },
];
for (const { name, world, rcode, answers, outcome } of local) {
  test(`answered here: ${name}`, async () => {
    const { resolution, order, decoded } = await run(world);
    if (outcome !== undefined) assert.equal(resolution.outcome, outcome);
    assert.deepEqual(order, []);
    assert.equal(rcodeOf(decoded), rcode);
    assert.equal(decoded.answers?.length, answers ?? 0);
  });
}

const a = (name: string, data: string, ttl = 30): Answers[number] => ({ type: "A", name, ttl, data });

test("the reverse name of an open address is asked for, and opens nothing", async () => {
  const { order, decoded, grants } = await run({
    query: queryFor("7.113.0.203.in-addr.arpa", "PTR"),
    decision: denied,
    mayReverse: (address) => address === "203.0.113.7",
    answers: [{ type: "PTR", name: "7.113.0.203.in-addr.arpa", ttl: 30, data: "edge.example.net" }],
  });
  assert.deepEqual([order, grants], [["upstream"], []]);
  assert.equal(decoded.answers?.length, 1);
});

test("one answer opens 256 addresses, and tells of no more", async () => {
  const answers = Array.from({ length: 300 }, (_, i) => a("api.example.org", `203.0.${i >> 8}.${i & 255}`));
  const { resolution, grants } = await run({ query: queryFor("api.example.org"), answers });
  assert.deepEqual([grants.length, resolution.granted.length, resolution.excess], [256, 256, 44]);
});

test("a name with private addresses only is a no that says why", async () => {
  const { resolution, order, decoded } = await run({
    query: queryFor("rebind.example.org"),
    answers: [a("rebind.example.org", "10.0.0.5"), a("rebind.example.org", "203.0.113.10")],
    own: [{ address: "203.0.113.10" as IpAddress, length: 32 }],
  });
  assert.deepEqual(order, ["upstream"]);
  assert.equal(resolution.outcome, "refused-private");
  assert.deepEqual(resolution.refused, ["10.0.0.5", "203.0.113.10"]);
  assert.deepEqual([decoded.answers?.length, decoded.authorities?.[0]?.type], [0, "SOA"]);
  assert.equal(
    errorOf(decoded),
    "15 left out 10.0.0.5 (and 1 more): the name may not lead there; to allow it, add rebind.example.org@10.0.0.5, or host:PORT if that is this host",
  );
});

test("an answer with a private address among others says what it left out", async () => {
  const { resolution, grants, decoded } = await run({
    query: queryFor("mixed.example.org"),
    answers: [a("mixed.example.org", "10.0.0.5"), a("mixed.example.org", "203.0.113.7")],
  });
  assert.deepEqual([resolution.outcome, grants.length, decoded.answers?.length], ["answered", 1, 1]);
  assert.match(errorOf(decoded) ?? "", /^15 left out 10\.0\.0\.5: .* add mixed\.example\.org@10\.0\.0\.5, /);
});

test("a private address that the allowlist names is opened", async () => {
  const { resolution } = await run({
    query: queryFor("db.example.org"),
    answers: [a("db.example.org", "10.0.0.5")],
    named: [{ address: "10.0.0.0" as IpAddress, length: 24 }],
  });
  assert.deepEqual(resolution.granted, ["10.0.0.5"]);
});

const leases: readonly {
  readonly name: string;
  readonly ttl: number;
  readonly age?: number;
  readonly stale?: boolean;
  readonly told: number;
  readonly lease: number;
}[] = [
  { name: "a TTL of 0 stays 0", ttl: 0, told: 0, lease: 360 },
  { name: "a short TTL is granted for the floor", ttl: 5, told: 5, lease: 360 },
  { name: "a long TTL is capped", ttl: 1_000_000, told: 86_400, lease: 86_700 },
  { name: "a cached TTL has become less", ttl: 300, age: 100, told: 200, lease: 500 },
  { name: "a TTL that is over is 0", ttl: 10, age: 20, told: 0, lease: 360 },
  { name: "a stale answer has 30 s", ttl: 10, age: 500, stale: true, told: 30, lease: 360 },
];
for (const { name, ttl, age, stale, told, lease } of leases) {
  test(`lease: ${name}`, async () => {
    const { grants, decoded } = await run({
      query: queryFor("api.example.org"),
      answers: [a("api.example.org", "203.0.113.7", ttl)],
      ageSeconds: age ?? 0,
      stale: stale ?? false,
    });
    assert.equal(grants[0]?.leaseSeconds, lease);
    assert.equal((decoded.answers?.[0] as { ttl?: number } | undefined)?.ttl, told);
  });
}

const failures: readonly {
  readonly name: string;
  readonly world: Omit<World, "query">;
  readonly text: string;
}[] = [
  { name: "no upstream answers", world: { upstreamFails: true }, text: "no upstream resolver answered" },
  {
    name: "its asker has too many under way",
    world: { noTurn: "crowded" },
    text: "this container has too many lookups under way",
  },
  { name: "its turn comes too late", world: { noTurn: "late" }, text: "waited too long for its turn" },
  {
    name: "it is no longer allowed",
    world: { isAllowedStill: () => false },
    text: "the name is no longer allowed",
  },
  {
    name: "it cannot be told whether it is allowed still",
    world: { isAllowedStill: () => assert.fail("a policy without lists") },
    text: "internal error",
  },
  { name: "upstream fails", world: { rcode: 2 }, text: "upstream answer refused: upstream-error" },
  { name: "upstream refuses", world: { rcode: 5 }, text: "upstream answer refused: upstream-error" },
  {
    name: "the chain is a loop",
    world: { answers: [{ type: "CNAME", name: "api.example.org", ttl: 1, data: "api.example.org" }] },
    text: "upstream answer refused: chain",
  },
];
for (const { name, world, text } of failures) {
  test(`SERVFAIL when ${name}`, async () => {
    const { resolution, decoded, grants } = await run({ query: queryFor("api.example.org"), ...world });
    assert.equal(rcodeOf(decoded), "SERVFAIL");
    assert.equal(resolution.outcome, "failed");
    assert.ok(resolution.cause instanceof Error);
    assert.deepEqual(grants, []);
    assert.ok(Buffer.from(resolution.bytes).includes(text));
  });
}

test("a message without EDNS gets none back, and one that is no query a FORMERR", () => {
  const bytes = Buffer.from([0, 7, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0]);
  const parsed = parseQuery(bytes);
  assert.equal(parsed.kind, "reply-now");
  if (parsed.kind !== "reply-now") return;
  assert.deepEqual([...respondNow(parsed, 512)], [0, 7, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]);
});

/** Code and text of the Extended DNS Error; undefined for none. */
function errorOf(decoded: dnsPacket.DecodedPacket): string | undefined {
  const opt = decoded.additionals?.find(({ type }) => type === "OPT") as unknown as {
    readonly options: readonly { readonly code: number; readonly data: Buffer }[];
  };
  const data = opt.options.find(({ code }) => code === 15)?.data;
  return data && `${data.readUInt16BE(0)} ${data.toString("utf8", 2)}`;
}

test("DO is cleared: no signatures go along", async () => {
  const { decoded } = await run({
    query: queryFor("api.example.org", "A", true, 0x8000),
    answers: [a("api.example.org", "203.0.113.7")],
  });
  const opt = decoded.additionals?.[0] as unknown as { readonly flag_do: boolean };
  assert.equal(opt.flag_do, false);
});

const unserved: readonly { readonly type: dnsPacket.RecordType; readonly error: string }[] = [
  {
    type: "TXT",
    error:
      "21 TXT is not served below a wildcard; add x.example.org to dockerwall.allow, or TXT to dockerwall.types",
  },
  { type: "LOC" as dnsPacket.RecordType, error: "21 LOC is not served; add it to dockerwall.types" },
  {
    type: "DNSKEY",
    error:
      "21 DNSSEC is not served; a resolver in a container must forward to 127.0.0.11, without DNSSEC validation and without asking the root",
  },
];
for (const { type, error } of unserved) {
  test(`a ${type} that is not served says why`, async () => {
    const { resolution, decoded } = await run({ query: queryFor("x.example.org", type), decision: wildcard });
    assert.deepEqual([resolution.outcome, rcodeOf(decoded)], ["not-served", "NOERROR"]);
    assert.equal(errorOf(decoded), error);
  });
}

test("a family that the asker does not have is nothing to be told of", async () => {
  const { resolution, decoded } = await run({ query: queryFor("x.example.org", "AAAA"), families: [4] });
  assert.deepEqual([resolution.outcome, errorOf(decoded)], ["no-family", undefined]);
});

test("a denied name above an allowed one exists, and has nothing", async () => {
  const { resolution, order, decoded } = await run({
    query: queryFor("sub.example.org"),
    decision: denied,
    isAboveAllowed: true,
  });
  assert.deepEqual([order, resolution.outcome], [[], "denied"]);
  assert.deepEqual([rcodeOf(decoded), decoded.answers?.length], ["NOERROR", 0]);
  assert.equal(decoded.authorities?.[0]?.type, "SOA");
  assert.equal(errorOf(decoded), "15 not in dockerwall.allow of web");
});

for (const [name, type] of [
  [".", "NS"],
  [".", "DNSKEY"],
  ["_ta-4f66", "NULL"],
  ["com", "DS"],
] as const) {
  test(`who asks ${name} ${type} learns how a resolver works here`, async () => {
    const { decoded } = await run({ query: queryFor(name, type), decision: denied });
    assert.match(
      errorOf(decoded) ?? "",
      /^15 not in dockerwall\.allow of web; a resolver .* must forward to/,
    );
  });
}
