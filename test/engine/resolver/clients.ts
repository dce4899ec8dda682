// Real clients inside containers, each with what it must say. All of one container's run in one shell.

import assert from "node:assert/strict";
import type { Engine } from "../../support/lab/engine.ts";

export interface ClientCase {
  readonly command: string;
  readonly expect: RegExp;
  readonly exitCode?: number;
}

const python = (code: string): string => `python3 -c '${code}'`;
const node = (code: string): string => `node -e '${code}'`;

/** Each query's id is its type. */
const threeAtOnce = `import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(4); s.connect(("127.0.0.11", 53))
for t in (1, 28, 65):
    s.send(struct.pack("!6H", t, 256, 1, 0, 0, 0) + b"\\3svc\\7example\\3com\\0" + struct.pack("!2H", t, 1))
print(sorted((m[0] << 8 | m[1], m[3] & 15, m[7]) for m in (s.recv(4096) for _ in range(3))))`;

/** systemd-resolved as a container's own stub before ours: its users, its bus, and the service itself. */
const startResolved = `for user in systemd-resolve:990 systemd-network:991 messagebus:992; do
  echo "\${user%:*}:x:\${user#*:}:\${user#*:}::/:/bin/false" >> /etc/passwd
  echo "\${user%:*}:x:\${user#*:}:" >> /etc/group
done
mkdir -p /run/dbus /run/systemd/resolve && chown 990:990 /run/systemd/resolve && dbus-daemon --system --fork
/usr/lib/systemd/systemd-resolved > /dev/null 2>&1 < /dev/null &
until resolvectl status 2> /dev/null; do sleep 0.1; done`;

/** In a container with real tools; `db` is its neighbour. */
export const fullClients: readonly ClientCase[] = [
  {
    command: "dig +tcp +dnssec +nsid +cookie +bufsize=512 www.example.com",
    expect: /status: NOERROR[\s\S]*www\.example\.com\.\s+\d+\s+IN\s+A\s+203\.0\.113\.11\n[\s\S]*\(TCP\)/,
  },
  {
    command: "dig +dnssec +nsid +cookie +bufsize=512 many.big.example +ignore",
    expect: /flags: qr tc rd ra;[\s\S]*MSG SIZE\s+rcvd: (\d\d|1\d\d)\n/,
  },
  { command: "dig +short many.big.example | wc -l", expect: /^60$/m },
  {
    command: "dig +ednsopt=65001:abcd +ednsflags=0xffff www.example.com",
    expect: /status: NOERROR[\s\S]*203\.0\.113\.11/,
  },
  // dig comes down from version 1 by itself.
  { command: "dig +edns=1 +noednsnegotiation www.example.com", expect: /status: BADVERS/ },
  { command: "dig +edns=1 +short www.example.com", expect: /^203\.0\.113\.11$/m },
  { command: "dig +opcode=status www.example.com", expect: /status: NOTIMP/ },
  { command: "dig +short CH TXT version.bind; dig CH TXT version.bind", expect: /status: REFUSED/ },
  { command: "dig AXFR example.com", expect: /Transfer failed/ },
  { command: "dig +short ANY www.example.com", expect: /^"RFC8482" ""$/m },
  {
    command: "dig www.example.org",
    expect: /status: NXDOMAIN[\s\S]*EDE: 15 \(Blocked\): \(not in dockerwall\.allow/,
  },
  { command: `timeout 10 sh -c '${startResolved}'`, expect: /DNS Servers: 127\.0\.0\.11/ },
  { command: "resolvectl query alias.example.com", expect: /203\.0\.113\.11\n\s+\(www\.example\.com\)/ },
  { command: "resolvectl query --type=HTTPS svc.example.com", expect: /IN HTTPS 1 \. alpn="h2,http\/1\.1"/ },
  {
    command: "resolvectl query www.example.org",
    expect: /Name 'www\.example\.org' not found/,
    exitCode: 1,
  },
  { command: "dig @127.0.0.53 +short www.example.com", expect: /^203\.0\.113\.11$/m },
  // We vouch for nothing, and delv says so.
  { command: "delv +noroot www.example.com", expect: /answer not validated[\s\S]*203\.0\.113\.11/ },
  {
    command: "kdig +tcp +dnssec +nsid +bufsize=512 www.example.com",
    expect: /status: NOERROR;[\s\S]*203\.0\.113\.11/,
  },
  {
    command: "kdig +short +ednsopt=10:0123456789abcdef MX example.com",
    expect: /^10 mail\.example\.com\.$/m,
  },
  { command: "kdig www.example.org", expect: /status: NXDOMAIN[\s\S]*EDE: 15 \(Blocked\)/ },
  { command: "kdig HTTPS svc.example.com +short", expect: /^1 \. alpn="?h2,http\/1\.1"?$/m },
  // An address that the container holds a grant for may be asked back, and no other.
  {
    command: "dig +short www.example.com && dig +short -x 203.0.113.11",
    expect: /^203\.0\.113\.11\nwww\.example\.com\.$/m,
  },
  { command: "dig -x 203.0.113.30", expect: /status: NXDOMAIN[\s\S]*EDE: 15 \(Blocked\)/ },
  {
    command: "host -t A alias.example.com",
    expect: /is an alias for www\.example\.com\.[\s\S]*203\.0\.113\.11/,
  },
  { command: "nslookup www.example.com", expect: /Address: 203\.0\.113\.11/ },
  { command: "getent ahosts www.example.com", expect: /^203\.0\.113\.11\s+STREAM www\.example\.com/m },
  { command: "getent ahostsv6 www.example.com", expect: /^$/m, exitCode: 2 },
  { command: "getent hosts www.example.org", expect: /^$/m, exitCode: 2 },
  { command: "getent hosts db", expect: /^198\.19\.\d+\.\d+\s+db/m },
  { command: "getent hosts db.app", expect: /^198\.19\.\d+\.\d+\s+db\.app/m },
  { command: "getent hosts $(getent hosts db | cut -d' ' -f1)", expect: /\sdb\.app$/m },
  { command: "getent hosts localhost", expect: /^(::1|127\.0\.0\.1)\s+localhost/m },
  {
    command: python(
      'import socket; print(sorted({a[4][0] for a in socket.getaddrinfo("chain.example.com", 443)}))',
    ),
    expect: /^\['198\.51\.100\.22'\]$/m,
  },
  {
    command: python('import socket; socket.getaddrinfo("www.example.org", 443)'),
    expect: /gaierror: \[Errno -2\] Name or service not known/,
    exitCode: 1,
  },
  {
    command: python('import socket; print(socket.gethostbyname_ex("alias.example.com"))'),
    expect: /'www\.example\.com', \['alias\.example\.com'\], \['203\.0\.113\.11'\]/,
  },
  {
    command: node('require("dns").promises.resolve4("www.example.com", { ttl: true }).then(console.log)'),
    expect: /\{ address: '203\.0\.113\.11', ttl: \d+ \}/,
  },
  {
    command: node(
      'const d = require("dns").promises; Promise.all([d.resolveMx("example.com"), d.resolveSrv("_service._tcp.example.com"), d.resolveTxt("txt.big.example"), d.resolve6("www.example.com").catch((e) => e.code), d.resolveCname("alias.example.com"), d.resolve4("www.example.org").catch((e) => e.code)]).then((r) => console.log(JSON.stringify(r.map((x) => (Array.isArray(x) && x.length > 5 ? x.length : x)))))',
    ),
    expect:
      /^\[\[\{"exchange":"mail\.example\.com","priority":10\}\],\[\{"name":"www\.example\.com","port":443,"priority":10,"weight":10\}\],20,"ENODATA",\["www\.example\.com"\],"ENOTFOUND"\]$/m,
  },
  {
    command: node('require("dns").lookup("www.example.com", { all: true }, (e, a) => console.log(e, a))'),
    expect: /address: '203\.0\.113\.11', family: 4/,
  },
  {
    command: "curl -sS -o /dev/null -w '%{http_code} %{remote_ip}' http://www.example.com/",
    expect: /^200 203\.0\.113\.11$/m,
  },
  // It asks for A and AAAA at once, sends to UDP port 443 where nobody is at home, and comes by TCP.
  {
    command: "curl -sS --http3 -o /dev/null -w '%{http_code} %{remote_ip}' https://www.example.com/",
    expect: /^200 203\.0\.113\.11$/m,
  },
  // A browser: A, AAAA and HTTPS from one socket before any answer; what type each answer is of, its rcode and count.
  { command: python(threeAtOnce), expect: /^\[\(1, 0, 1\), \(28, 0, 0\), \(65, 0, 1\)\]$/m },
  { command: "curl -sS --max-time 3 http://www.example.org/", expect: /Could not resolve host/, exitCode: 6 },
  {
    command: "echo 'www.example.com A' > /tmp/names && dnsperf -s 127.0.0.11 -d /tmp/names -n 200",
    expect: /Queries lost:\s+0 /,
  },
];

/** In a container with busybox only. */
export const smallClients: readonly ClientCase[] = [
  { command: "nslookup www.example.com", expect: /Name:\s+www\.example\.com\nAddress:\s+203\.0\.113\.11/ },
  { command: "nslookup www.example.org", expect: /can't find www\.example\.org: NXDOMAIN/, exitCode: 1 },
  { command: "nslookup db", expect: /Address:\s+198\.19\./ },
  { command: "nslookup -type=mx example.com", expect: /mail exchanger = 10 mail\.example\.com/ },
  { command: "wget -q -O /dev/null http://www.example.com/", expect: /^$/, exitCode: 0 },
  { command: "wget -q -O /dev/null http://www.example.org/", expect: /bad address/, exitCode: 1 },
];

/** Runs all in one container; what came out wrong, with what was said. */
export async function runClients(
  engine: Engine,
  container: string,
  cases: readonly ClientCase[],
): Promise<readonly string[]> {
  const mark = "-=-";
  const script = cases.map(({ command }) => `( ${command} ) 2>&1; echo "${mark}$?"`).join("\n");
  const { stdout } = await engine.dockerWith({ timeoutMs: 120_000 }, "exec", container, "sh", "-c", script);
  const parts = stdout.split(new RegExp(`${mark}(\\d+)\\n?`));
  assert.equal(Math.floor(parts.length / 2), cases.length, stdout);
  return cases.flatMap(({ command, expect, exitCode }, index) => {
    const [said = "", code] = [parts[index * 2], parts[index * 2 + 1]];
    const good = expect.test(said) && (exitCode === undefined || Number(code) === exitCode);
    return good ? [] : [`${command}\n${said}exit code ${code}`];
  });
}
