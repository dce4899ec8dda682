// What a container on a guarded network asks about names of the fake internet, and what it must be told.

/** The network's allowlist. */
export const allowlist =
  "*.example.com www.example.net *.big.example txt.big.example *.bulk.example api.github.com:443 use-application-dns.net";

/** Types that are asked upstream for, of names below a wildcard; dns-packet knows the last two by their numbers. */
export const servedTypes: ReadonlySet<string> = new Set([
  "A",
  "CNAME",
  "SRV",
  "MX",
  "CAA",
  "NS",
  "SOA",
  "PTR",
  "UNKNOWN_64",
  "UNKNOWN_65",
]);

export interface PolicyQuestion {
  readonly name: string;
  readonly type: string;
  readonly rcode?: "NXDOMAIN" | "SERVFAIL";
  /** `OWNER TYPE DATA`, or `TYPE DATA` for the name itself; in any order. None by default. */
  readonly answers?: readonly string[];
  /** How many answers, where they are too many to name. */
  readonly count?: number;
  /** Extended DNS Error, told to those who sent EDNS; `failed` is Network Error, or Cached Error on the next try. */
  readonly error?: number | "failed";
  /** What it says. */
  readonly errorText?: RegExp;
  /** Too long for this many bytes by UDP: without EDNS 512, with it 1232. */
  readonly tooLong?: 512 | 1232;
  /** Most that any TTL may be. */
  readonly ttl?: number;
}

const allowed = (name: string, type: string, ...answers: readonly string[]): PolicyQuestion => ({
  name,
  type,
  answers,
});
/** What a denial says. */
export const denialText = /^not in dockerwall\.allow of app$/;
const denied = (name: string, type = "A"): PolicyQuestion => ({
  name,
  type,
  rcode: "NXDOMAIN",
  error: 15,
  errorText: denialText,
});
/** It exists, as a name below it is allowed, and no answer says more of it. */
const above = (name: string): PolicyQuestion => ({ name, type: "A", error: 15, errorText: denialText });
const notServed = (name: string, ...types: readonly string[]): PolicyQuestion[] =>
  types.map((type) => ({ name, type, error: 21, errorText: /^[A-Z0-9]+ is not served/ }));
const noData = (name: string, ...types: readonly string[]): PolicyQuestion[] =>
  types.map((type) => ({ name, type }));
const privateOnly = (name: string): PolicyQuestion => ({
  name,
  type: "A",
  error: 15,
  errorText:
    /^left out [0-9.]+: the name may not lead there; to allow it, add [a-z0-9.]+@[0-9.]+, or host:PORT/,
});

const plain: readonly PolicyQuestion[] = [
  allowed("example.com", "A", "A 203.0.113.10"),
  allowed("www.example.com", "A", "A 203.0.113.11"),
  allowed("WwW.eXample.COM", "A", "A 203.0.113.11"),
  allowed("v4only.example.com", "A", "A 203.0.113.13"),
  allowed("under_score.example.com", "A", "A 203.0.113.14"),
  allowed("xn--bcher-kva.example.com", "A", "A 203.0.113.15"),
  allowed("deep.er.down.example.com", "A", "A 203.0.113.16"),
  allowed("fresh1.wild.example.com", "A", "A 203.0.113.17"),
  allowed("a.b.c.wild.example.com", "A", "A 203.0.113.17"),
  allowed("build-1.ci.example.com", "A", "A 203.0.113.19"),
  allowed("mapped-public.example.com", "A"),
  allowed("www.example.net", "A", "A 198.51.100.11"),
  allowed("api.github.com", "A", "A 198.51.100.15"),
  ...noData("v6only.example.com", "A", "AAAA"),
  // The network has no IPv6: nobody is asked.
  ...noData("www.example.com", "AAAA"),
  ...noData("unasked6.example.com", "AAAA"),
  { name: "nowhere.example.com", type: "A", rcode: "NXDOMAIN" },
  { name: "nowhere.example.com", type: "MX", rcode: "NXDOMAIN" },
];

const aliases: readonly PolicyQuestion[] = [
  allowed("alias.example.com", "A", "CNAME www.example.com", "www.example.com A 203.0.113.11"),
  allowed("alias.example.com", "CNAME", "CNAME www.example.com"),
  allowed("offsite.example.com", "A", "CNAME www.example.net", "www.example.net A 198.51.100.11"),
  allowed(
    "chain.example.com",
    "A",
    "CNAME chain.example.net",
    "chain.example.net CNAME edge.example.org",
    "edge.example.org A 198.51.100.22",
  ),
  { name: "dangling.example.com", type: "A", rcode: "NXDOMAIN", answers: ["CNAME nowhere.example.net"] },
  {
    name: "loop-a.example.com",
    type: "A",
    rcode: "SERVFAIL",
    error: "failed",
    errorText: /^(upstream answer refused: chain|it failed a moment ago)$/,
  },
  allowed(
    "hop8.big.example",
    "A",
    ...[8, 9, 10, 11].map((hop) => `hop${hop}.big.example CNAME hop${hop + 1}.big.example`),
    "hop12.big.example A 203.0.113.28",
  ),
  allowed("hop12.big.example", "A", "A 203.0.113.28"),
];

const otherTypes: readonly PolicyQuestion[] = [
  allowed("example.com", "MX", "MX 10 mail.example.com"),
  allowed("_service._tcp.example.com", "SRV", "SRV 10 10 443 www.example.com"),
  allowed("authority.example.com", "CAA", "CAA 0 issue ca.example.net false"),
  allowed("bulk.example", "NS", "NS ns.example"),
  allowed("bulk.example", "SOA", "SOA ns.example hostmaster.example 1 3600 600 86400 5"),
  allowed("_dns.svc.example.com", "SVCB", "SVCB 1 www.example.com 0001000403646f74 000300020355"),
  ...noData("www.example.com", "MX", "CAA", "NS", "SOA", "PTR", "SRV", "CNAME", "HTTPS", "SVCB"),
  // Not served, whether it exists or not.
  ...notServed("example.com", "TXT", "DS", "DNSKEY", "NAPTR", "LOC", "SSHFP", "TLSA", "NULL", "TYPE65280"),
  ...notServed("_dmarc.example.com", "TXT"),
  { name: "txt.big.example", type: "TXT", count: 20, tooLong: 1232 },
  ...notServed("many.big.example", "TXT"),
  { name: "www.example.com", type: "ANY", count: 1 },
  // Addresses in hints have no grant, so they are left out, and `ech` would hide a name.
  allowed("svc.example.com", "HTTPS", "HTTPS 1 . 0001000c02683208687474702f312e31"),
  allowed("svcalias.example.com", "HTTPS", "HTTPS 0 www.example.net "),
];

const lifetimes: readonly PolicyQuestion[] = [
  { ...allowed("ttl0.example.com", "A", "A 203.0.113.21"), ttl: 0 },
  { ...allowed("ttl1.example.com", "A", "A 203.0.113.22"), ttl: 1 },
  { ...allowed("ttl5.example.com", "A", "A 203.0.113.23"), ttl: 5 },
  { ...allowed("ttlday.example.com", "A", "A 203.0.113.24"), ttl: 3600 },
  allowed(
    "rotating.example.com",
    "A",
    ...Array.from({ length: 8 }, (_, index) => `A 203.0.113.${101 + index}`),
  ),
  { name: "many.big.example", type: "A", count: 60, tooLong: 512 },
];

const inward: readonly PolicyQuestion[] = [
  ...["private10", "private172", "private192", "loopback", "metadata", "cgnat"].map((host) =>
    privateOnly(`${host}.example.com`),
  ),
  ...["zero", "multicast", "broadcast"].map((host) => privateOnly(`${host}.example.com`)),
  {
    ...allowed("mixed.example.com", "A", "A 203.0.113.27"),
    error: 15,
    errorText: /^left out .*add mixed\.example\.com@/,
  },
];

const refusals: readonly PolicyQuestion[] = [
  denied("www.example.org"),
  ...["AAAA", "TXT", "MX", "ANY", "SOA", "NS", "HTTPS", "TYPE65280"].map((type) =>
    denied("secret.example.org", type),
  ),
  above("example.net"),
  denied("sub.www.example.net"),
  above("github.com"),
  denied("x.api.github.com"),
  above("com"),
  denied("notexample.com"),
  denied("www.example.com.example.org"),
  denied("example.com.evil.example.org"),
  denied("edge.example.org"),
  denied("chain.example.net"),
  denied("local"),
  denied("nobody"),
  denied("_tcp"),
  // On the allowlist; Firefox would turn its own DNS over HTTPS on all the same (no denial, and no name either).
  { name: "use-application-dns.net", type: "A", rcode: "NXDOMAIN" },
  { name: "use-application-dns.net", type: "AAAA", rcode: "NXDOMAIN" },
  denied("1.113.0.203.in-addr.arpa", "PTR"),
  denied("8.8.8.8.in-addr.arpa", "PTR"),
  denied("1.0.0.127.in-addr.arpa", "PTR"),
  denied("254.169.254.169.in-addr.arpa", "PTR"),
  denied("a.root-servers.net"),
  denied(`${"x".repeat(63)}.${"y".repeat(63)}.example.org`),
  allowed("localhost", "A", "A 127.0.0.1"),
  allowed("x.localhost", "A", "A 127.0.0.1"),
  ...noData("localhost", "AAAA", "TXT"),
];

export const policyQuestions: readonly PolicyQuestion[] = [
  ...plain,
  ...aliases,
  ...otherTypes,
  ...lifetimes,
  ...inward,
  ...refusals,
];
