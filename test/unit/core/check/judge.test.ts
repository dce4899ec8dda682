// A project is judged as the daemon would judge what Compose makes of it, with the line of each mistake.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judge } from "../../../../src/core/check/judge.ts";
import type { CheckReport } from "../../../../src/core/check/report.ts";
import { loadProject } from "../../../../src/core/compose/load.ts";
import { readProject } from "../../../../src/core/compose/project.ts";
import type { Finding } from "../../../../src/core/compose/tree.ts";
import { presets } from "../../../support/policies.ts";

function check(text: string): CheckReport {
  const { tree, problems, unread } = loadProject({
    files: ["compose.yml"],
    read: (path) => (path === "compose.yml" ? { text } : undefined),
    environment: () => undefined,
  });
  return judge({ project: readProject(tree), tree, problems, unread, presets });
}

const linesOf = (findings: readonly Finding[]): string[] =>
  findings.map(({ place, text }) => `${place.line}: ${text}`);

const mediaStack = `
name: media
x-common: &common
  restart: unless-stopped
  environment: { PUID: 1000, TZ: Etc/UTC }
services:
  gluetun:
    image: qmcgaw/gluetun
    cap_add: [NET_ADMIN]
    devices: ["/dev/net/tun:/dev/net/tun"]
    networks: [vpn]
  qbittorrent:
    <<: *common
    network_mode: service:gluetun
    volumes: ["./downloads:/downloads"]
  sonarr:
    <<: *common
    networks: [media]
    labels:
      dockerwall.allow: "*.thetvdb.example:443/tcp"
    ports: ["8989:8989"]
  prowlarr:
    <<: *common
    networks:
      media:
        aliases: [indexers]
      proxy:
  jellyfin:
    <<: *common
    network_mode: host
networks:
  media:
    labels:
      dockerwall.allow: >-
        api.github.com:443/tcp
        images.example.org
  vpn:
    labels:
      - dockerwall.allow=198.51.100.0/24:51820/udp
      - dockerwall.deny=reject
  proxy:
`;

describe("services that are given an engine's API over TCP", () => {
  const stack = (accept: string): string => `
services:
  pointed:
    environment: [DOCKER_HOST=tcp://proxy:2375]
    networks: [app]
    labels: { dockerwall.accept: "${accept}" }
  mapped:
    environment: { DOCKER_HOST: "tcp://host.docker.internal:2375" }
    networks: [app]
    labels: { dockerwall.accept: "${accept}" }
  allowed:
    networks: [app]
    labels: { dockerwall.allow: "host:2375", dockerwall.accept: "${accept}" }
  free:
    environment: { DOCKER_HOST: "tcp://proxy:2375" }
    networks: [open]
networks:
  app:
    labels: { dockerwall.allow: "" }
  open:
`;
  it("are warned of where they stand", () => {
    assert.deepEqual(
      linesOf(check(stack("")).warnings).map((line) => line.replace(/ over TCP.*/, "")),
      [
        `3: container "pointed" is pointed at an engine's API`,
        `7: container "mapped" is pointed at an engine's API`,
        `11: container "allowed" may reach an engine's API`,
      ],
    );
  });
  it("are accepted by their label", () => {
    assert.deepEqual(linesOf(check(stack("engine-api")).warnings), []);
  });
});

describe("a stack without a mistake", () => {
  const report = check(mediaStack);
  it("is enforced", () => {
    assert.deepEqual(report.problems, []);
    assert.equal(report.ok, true);
  });
  it("stands by network", () => {
    assert.deepEqual(
      report.networks.map(({ name, place, state, mode, services }) => [
        name,
        place.line,
        state,
        mode,
        services,
      ]),
      [
        ["media", 32, "guarded", "enforce", ["sonarr", "prowlarr"]],
        ["vpn", 37, "guarded", "enforce", ["gluetun"]],
        ["proxy", 41, "open", undefined, ["prowlarr"]],
      ],
    );
  });
  it("stands by service", () => {
    assert.deepEqual(
      report.services.map(({ name, networks, networkMode }) => [
        name,
        networkMode ?? "",
        networks.map((network) => `${network.name} ${network.state}`).join(),
      ]),
      [
        ["gluetun", "", "vpn guarded"],
        ["qbittorrent", "service:gluetun", "vpn guarded"],
        ["sonarr", "", "media guarded"],
        ["prowlarr", "", "media guarded,proxy open"],
        ["jellyfin", "host", ""],
      ],
    );
  });
  it("has each entry with its line and what it opens", () => {
    assert.deepEqual(report.networks[0]?.entries, [
      {
        entry: "api.github.com:443/tcp",
        place: { file: "compose.yml", line: 35 },
        takesAway: false,
        opens: [
          { what: "name", target: "api.github.com", protocols: ["tcp"], ports: { from: 443, to: 443 } },
        ],
      },
      {
        entry: "images.example.org",
        place: { file: "compose.yml", line: 36 },
        takesAway: false,
        opens: [{ what: "name", target: "images.example.org", protocols: "any", ports: "any" }],
      },
    ]);
    assert.deepEqual(report.services[2]?.entries[0]?.opens, [
      { what: "subtree", target: "thetvdb.example", protocols: ["tcp"], ports: { from: 443, to: 443 } },
    ]);
  });
  it("says what is open, and what no wall holds", () => {
    assert.deepEqual(linesOf(report.warnings), [
      '7: container "gluetun" has NET_ADMIN, and with it the host\'s own interfaces unless the engine maps users (userns-remap): it is NOT contained',
      '22: container "prowlarr" is also on network "proxy", which is not guarded: the same allowlist applies to it there',
      '28: container "jellyfin" is on the host\'s network, which is not guarded',
    ]);
  });
});

const wrong: readonly [name: string, text: string, problems: readonly string[]][] = [
  [
    "a slip in a label's name",
    `
services:
  front: { networks: [front, back] }
  back: { networks: [back] }
networks:
  front:
    labels: { dockerwall.allow: "" }
  back:
    labels:
      dockerwall.alow: db.example.com
`,
    ['10: network "back", label dockerwall.alow: there is no such label; did you mean dockerwall.allow?'],
  ],
  [
    "a network's label on a service",
    "services:\n  web:\n    labels:\n      - dockerwall.mode=audit\n",
    ['4: container "web", label dockerwall.mode: it has no effect here, only on a network; move it there'],
  ],
  [
    "a service's label without a guarded network",
    "services:\n  web:\n    labels: { dockerwall.allow: a.example.com }\n",
    [
      '3: container "web", label dockerwall.allow: none of its networks carries dockerwall.allow, so it is NOT contained; label a network',
    ],
  ],
  [
    "a label of a service that shares another's network",
    `
services:
  vpn: { networks: [vpn] }
  app: { network_mode: "service:vpn", labels: { dockerwall.allow: a.example.com } }
networks: { vpn: { labels: { dockerwall.allow: } } }
`,
    [
      '4: container "app", label dockerwall.allow: it uses the network of container "vpn", whose labels apply to both; label that container',
    ],
  ],
  [
    "labels where nobody gets them",
    `
services:
  web:
    dockerwall.allow: a.example.com
    build:
      context: .
      labels: [dockerwall.allow=a.example.com]
    deploy: { labels: { dockerwall.deny: reject, dockerwal.alow: "" } }
    environment: { DOCKERWALL_MODE: audit }
    command: [docker, run, --label, dockerwall.allow=b.example.com]
    networks: [app]
networks:
  app:
    label: { dockerwall.alow: a.example.com }
dockerwall.foo: 1
volumes: { dockerwall-accept: }
`,
    [
      "4: label dockerwall.allow under services.web: no network and no container gets it; move it under labels of a network or of a container",
      "7: label dockerwall.allow under services.web.build.labels: it becomes one of the image; move it under labels of a network or of a container",
      "8: label dockerwall.deny under services.web.deploy.labels: it becomes one of a Swarm service; move it under labels of a network",
      "8: label dockerwal.alow under services.web.deploy.labels: it becomes one of a Swarm service; did you mean dockerwall.allow? It stands under labels of a network or of a container",
      "14: label dockerwall.alow under networks.app.label: no network and no container gets it; did you mean dockerwall.allow? It stands under labels of a network or of a container",
      "15: label dockerwall.foo at the top of the file: no network and no container gets it; there is no such label",
    ],
  ],
  [
    "bad entries and values, each on its line",
    `
services: { web: { networks: [app] } }
networks:
  app:
    labels:
      dockerwall.allow: |
        a.example.com:99999
        https://b.example.com/
        !c.example.com
      dockerwall.upstream: 999.1.1.1
`,
    [
      '7: network "app", label dockerwall.allow: entry "a.example.com:99999" at column 1: the port must be 1 to 65535, or FROM-TO, not "99999"; nothing at all is allowed until you correct it, as it is not known what it takes away',
      '8: network "app", label dockerwall.allow: entry "https://b.example.com/" at column 21: it is a URL; write only the host, without the scheme and the path; nothing at all is allowed until you correct it, as it is not known what it takes away',
    ],
  ],
  [
    "a driver that cannot be guarded",
    "services: { web: { networks: [lan] } }\nnetworks:\n  lan: { driver: macvlan, labels: { dockerwall.allow: } }\n",
    [
      '3: network "lan" has driver macvlan, which cannot be guarded: its containers are NOT contained; use the bridge driver',
    ],
  ],
  [
    "labels of an external network",
    "services: { web: { networks: [out] } }\nnetworks:\n  out:\n    external: true\n    labels: { dockerwall.allow: a.example.com }\n",
    [
      '5: network "out", label dockerwall.allow: the network is external, and labels given here never reach it; label it where it is made',
    ],
  ],
];

describe("a project with", () => {
  for (const [name, text, problems] of wrong)
    it(`${name} is not enforced`, () => {
      const report = check(text);
      const found = linesOf(report.problems);
      assert.deepEqual(found.slice(0, problems.length), problems);
      assert.ok(
        found.slice(problems.length).every((line) => line.includes("dockerwall.upstream")),
        found.join("\n"),
      );
      assert.equal(report.ok, false);
    });
});

describe("what is doubtful", () => {
  it("is a warning, and no problem", () => {
    const report = check(`
services:
  web:
    networks: [app]
    labels: { dockerwall.allow: "a.example.com:443" }
networks:
  app: { labels: { dockerwall.allow: "*.example.com *.co.uk \${MORE}", dockerwall.mode: audit } }
  idle: { labels: { dockerwall.allow: "" } }
`);
    assert.equal(report.ok, true);
    assert.deepEqual(linesOf(report.warnings), [
      '5: container "web", label dockerwall.allow: entry "a.example.com:443" is not needed: *.example.com covers it, but for TXT records of that very name',
      '7: network "app", label dockerwall.allow: entry "*.co.uk" covers names that anyone can register below co.uk; name only those you need',
      '7: network "app" is in audit mode: everything passes, and is recorded',
      '7: network "app", label dockerwall.allow: the variable MORE is not set, and counts as empty',
      '8: network "idle" has no service on it, so Compose does not make it',
    ]);
  });
  it("of networks that are made elsewhere nobody guesses", () => {
    const report = check(`
services:
  web:
    networks: [out]
    labels: { dockerwall.allow: a.example.com }
  side: { network_mode: "container:other", labels: { dockerwall.allow: a.example.com } }
networks: { out: { external: true } }
`);
    assert.deepEqual([report.problems, report.warnings], [[], []]);
    assert.equal(report.networks[0]?.state, "unknown");
  });
});

describe("a service with resolvers of its own (dns:)", () => {
  const stack = (label: string): string => `services:
  web:
    dns: [10.1.0.5, 9.9.9.9]
    networks: [app, side]
  free:
    dns: 9.9.9.9
    networks: [side]
  dns:
    networks: { app: { ipv4_address: 10.1.0.5 } }
networks:
  app: { labels: { dockerwall.allow: "a.example.com"${label} } }
  side:
`;
  const told = (label = ""): readonly string[] =>
    linesOf(check(stack(label)).warnings).filter((line) => line.includes("dns"));

  it("hears that they are not asked on a guarded network, and what to write", () => {
    assert.deepEqual(told(), [
      '3: service "web": dns 10.1.0.5 is not asked, as network "app" is guarded: Dockerwall answers in its place, and asks its own resolvers; to have it asked, write the label dockerwall.upstream: "10.1.0.5" on the network; that is service "dns": give it a network of its own without dockerwall.allow, or its lookups come back to it',
      '3: service "web": dns 9.9.9.9 is not asked, as network "app" is guarded: Dockerwall answers in its place, and asks its own resolvers; to have it asked, write the label dockerwall.upstream: "9.9.9.9" on the network',
    ]);
  });
  it("hears nothing where the network names its resolvers", () => {
    assert.deepEqual(told(', dockerwall.upstream: "10.9.0.5"'), []);
  });
});

describe("an entry for a name of a service's own (extra_hosts:)", () => {
  const stack = (hosts: string, allow: string): string => `services:
  web:
    extra_hosts: ${hosts}
    networks: [app]
  other: { networks: [app] }
networks:
  app: { labels: { dockerwall.allow: "${allow}" } }
`;
  const told = (hosts: string, allow: string): readonly string[] =>
    linesOf(check(stack(hosts, allow)).warnings);
  const begins = (entry: string): string =>
    `7: network "app", label dockerwall.allow: entry "${entry}" opens nothing`;
  const has = `for service "web", which has the name by extra_hosts and looks nothing up: write`;
  const cases: readonly [hosts: string, allow: string, said: string | undefined][] = [
    ['["host.docker.internal:host-gateway"]', "host.docker.internal", `${has} host:PORT/tcp`],
    ["{ host.docker.internal: host-gateway }", "host.docker.internal:5432/tcp", `${has} host:5432/tcp`],
    ['["box.example=host-gateway"]', "box.example:80-90", `${has} host:80-90`],
    ['["db.example:192.0.2.5"]', "db.example:5432/tcp", `${has} 192.0.2.5/32:5432/tcp`],
    ['["db.example:[2001:db8::5]"]', "db.example", `${has} 2001:db8::5/128`],
    ['{ db.example: ["192.0.2.5", "192.0.2.6"] }', "db.example", `${has} 192.0.2.5/32 192.0.2.6/32`],
    ['["db.corp.example:192.0.2.5"]', "*.corp.example", undefined],
    ['["db.example:192.0.2.5"]', "a.example host:5432/tcp", undefined],
  ];
  for (const [hosts, allow, said] of cases)
    it(`${allow} beside ${hosts}`, () => {
      const expected = said === undefined ? [] : [`${begins(allow)} ${said}`];
      assert.deepEqual(told(hosts, allow), expected);
    });
  it("is told of the host's name where nobody has it, and on the service's own label", () => {
    assert.deepEqual(told("[]", "host.docker.internal:443"), [
      `${begins("host.docker.internal:443")}: it is a name of the host, which no resolver has: write host:443, and give the name to services that use it (extra_hosts: "host.docker.internal:host-gateway")`,
    ]);
    const own = check(`services:
  web:
    extra_hosts: ["host.docker.internal:host-gateway"]
    networks: [app]
    labels: { dockerwall.allow: host.docker.internal }
networks: { app: { labels: { dockerwall.allow: a.example.com } } }
`);
    assert.deepEqual(linesOf(own.warnings), [
      `5: container "web", label dockerwall.allow: entry "host.docker.internal" opens nothing ${has} host:PORT/tcp`,
    ]);
  });
});

describe("entries that are not what they seem", () => {
  const stack = (network: string, own = ""): string => `services:
  web: { networks: [app]${own} }
networks:
  app:
    labels:
      dockerwall.allow: ${network}
`;
  const only = "it has only `!` entries, which grant nothing; write what may be reached, too";
  const cases: readonly [text: string, said: readonly string[]][] = [
    [stack("'!ads.example.com, !192.0.2.1'"), [only]],
    [stack("'!ads.example.com'", ", labels: { dockerwall.allow: a.example.com }"), []],
    [stack("''"), []],
    [stack("a.example.com", ", labels: { dockerwall.allow: '!b.a.example.com' }"), []],
    [
      stack("2001:db8::1:443"),
      [
        'entry "2001:db8::1:443" is an address that ends in 443, with every port; did you mean [2001:db8::1]:443?',
      ],
    ],
    ...["[2001:db8::1:443]:443", "2001:db8::1:443/128", "2001:db8::1:999", "2001:db8::53"].map(
      (entry): [string, readonly string[]] => [stack(`"${entry}"`), []],
    ),
  ];
  for (const [text, said] of cases)
    it(`are warned of, or not: ${text.split("\n").slice(1, 6).join(" ").replace(/ +/g, " ")}`, () => {
      const expected = said.map((each) => `6: network "app", label dockerwall.allow: ${each}`);
      assert.deepEqual(linesOf(check(text).warnings), expected);
    });
});

describe("the daemon's own service", () => {
  it("has what it needs of the host without a word", () => {
    const text =
      "services: { wall: { image: 'example.org/dockerwall:1', network_mode: host, privileged: true } }";
    assert.deepEqual(check(text).warnings, []);
  });
});

describe("a service on two guarded networks, of which it leaves by one", () => {
  const compose = (front: string, egress: string, joined: string): string => `services:
  web: {image: x, networks: ${joined}}
networks:
  a_front: {${front}labels: {dockerwall.allow: ""}}
  egress: {${egress}labels: {dockerwall.allow: www.example.com}}
`;
  const both = "[a_front, egress]";
  const cases: readonly [what: string, text: string, warned: boolean][] = [
    ["the first by name has no entries", compose("", "", both), true],
    ["the first by name has them", compose("name: z, ", "name: b, ", both), false],
    ["given names decide", compose("name: a, ", "name: b, ", both), true],
    ["a given name beside one of the project's does not", compose("name: a, ", "", both), false],
    ["the first by name has no way out", compose("internal: true, ", "", both), false],
    ["a priority", compose("", "", "{a_front: , egress: {gw_priority: 1}}"), false],
    [
      "a priority that is wrong",
      compose("name: z, ", "name: b, ", "{a_front: {gw_priority: 1}, egress: {}}"),
      true,
    ],
    ["a network of both families comes first", compose("", "enable_ipv6: true, ", both), false],
    [
      "whatever is preferred",
      compose("enable_ipv6: true, ", "", "{a_front: , egress: {gw_priority: 1}}"),
      true,
    ],
    [
      "an external one may be of both",
      compose("", "", "{a_front: {gw_priority: 1}, egress: , away: }").replace(
        "networks:\n  a_front",
        "networks:\n  away: {external: true}\n  a_front",
      ),
      false,
    ],
    [
      "each family has a network of its own",
      compose("", "enable_ipv4: false, enable_ipv6: true, ", both),
      false,
    ],
    ["an external one may be before it", compose("external: true, ", "", both), false],
    ["it is on one only", compose("", "", "[egress]"), false],
  ];
  for (const [what, text, warned] of cases)
    it(what, () => {
      const told = linesOf(check(text).warnings).filter((line) => line.includes("gw_priority"));
      assert.equal(told.length, warned ? 1 : 0, told.join());
      if (warned)
        assert.match(told[0] ?? "", /^2: container "web" sends by network "a_front", so the entries/);
    });
});
