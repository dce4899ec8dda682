// What the host's systemd runs at boot, run as it would: which bridges it holds, what the host still gets, and that a
// saved ruleset with rules of ours in it is loaded.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { bootGuardUnit, bootSetsUnit } from "../../../src/core/firewall/boot-guard.ts";
import { planEngineHold } from "../../../src/core/firewall/engine-hold.ts";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import { createSets, destroySets, setsExist } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import { type Backend, backends, pathOf, startUnit } from "../../support/boot-unit.ts";
import { createLan, reachability } from "../../support/lan.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";
import { execStarts } from "../../support/systemd.ts";

enterNamespaces(import.meta.url);

describe("the boot guard", () => {
  it("holds bridges, answers the host on them, and leaves the host's own way out alone", () => {
    const [docker, way, other] = ["br-0123456789ab", "br-lan", "virbr0"].map(createLan);
    const open = { out: [true, true], in: [true, true] };
    for (const lan of [docker, way, other]) assert.deepEqual(lan && reachability(lan), open);
    startUnit(bootGuardUnit([{ bridge: "br-lan", why: "has eth0 (a physical device)" }]));
    assert.deepEqual(docker && reachability(docker), { out: [true, true], in: [false, false] });
    for (const lan of [way, other]) assert.deepEqual(lan && reachability(lan), open);
  });

  it("says what it holds and what not", () => {
    assert.match(
      bootGuardUnit([]),
      /^# Holds every bridge named br-\*: .*\n# No such bridge was the host's own/,
    );
    assert.match(
      bootGuardUnit([{ bridge: "br-lan", why: "has eth0 (a physical device), the host's default route" }]),
      /^# Holds .*\n# Not held: br-lan, which has eth0 \(a physical device\), the host's default route\.$/m,
    );
    assert.doesNotMatch(bootGuardUnit([{ bridge: "br-$(x)%n", why: "has eth0" }]), /\$\(x\)|%n/);
  });
});

for (const backend of backends)
  describe(`what the engine asks at boot (${backend})`, () => asksAtBoot(backend));

function asksAtBoot(backend: Backend): void {
  const [hold = []] = execStarts(bootGuardUnit([]), "ExecStartPost");
  /** Asks a resolver by UDP and TCP, IPv4 and IPv6: whether the question left. */
  const asks = `
import socket
def tell(ask):
    try: ask(); print("left")
    except PermissionError: print("held")
    except ConnectionRefusedError: print("refused")
    except TimeoutError: print("sent again")
for family, to in (socket.AF_INET, ("127.0.0.1", 53)), (socket.AF_INET6, ("::1", 53)):
    tell(lambda: socket.socket(family, socket.SOCK_DGRAM).sendto(b"x", to))
    server = socket.create_server(to, family=family)
    tell(lambda: socket.create_connection(to, 1))
    server.close()
`;
  const left = ["left", "left", "left", "left"];
  const byTcp = backend === "nft" ? "refused" : "sent again";
  const held = ["held", byTcp, "held", byTcp];
  /** Runs the unit's command in a cgroup namespace of its own, and asks as the engine and as another program. */
  function questions(mount: string, before: string): string[] {
    const script = `
${mount}
${before}
sh -c 'echo $$ >/sys/fs/cgroup/system.slice/docker.service/cgroup.procs; exec python3 /run/asks' 2>/dev/null || python3 /run/asks
python3 /run/asks`;
    writeFileSync("/run/asks", asks);
    run("nft", "flush", "ruleset");
    for (const tool of ["iptables-legacy", "ip6tables-legacy"])
      for (const table of ["mangle", "filter", "security"])
        for (const what of ["-F", "-X"]) run(tool, "-t", table, what);
    const group = `/run/groups/dockerwall-boot-${process.pid}`;
    run("mkdir", "-p", "/run/groups");
    run("mount", "-t", "cgroup2", "none", "/run/groups");
    try {
      run("mkdir", group);
      const enter = `echo $$ >${group}/cgroup.procs; exec unshare --cgroup --mount sh -c "$1" sh "$2" "$3" "$4"`;
      const env = { PATH: pathOf(backend) };
      return execFileSync("sh", ["-c", enter, "sh", script, ...hold], { env, encoding: "utf8" })
        .trim()
        .split("\n");
    } finally {
      for (const each of ["/system.slice/docker.service", "/system.slice", ""])
        spawnSync("rmdir", [`${group}${each}`]);
      run("umount", "/run/groups");
    }
  }
  const rulesOfBoth = ["iptables", "ip6tables"]
    .flatMap((tool) =>
      [
        ...["-N DOCKER-USER", "-A FORWARD -j DOCKER-USER", "-N DOCKERWALL-REJECT"],
        ...["OUTPUT", "DOCKER-USER"].map((hook) => `-I ${hook} -j DOCKERWALL-REJECT`),
      ].map((rule) => `${tool} ${rule}`),
    )
    .join("; ");
  const groups = "mount -t cgroup2 none /sys/fs/cgroup";
  const wanted = {
    variant: backend,
    group: "system.slice/docker.service",
    whileIn: "dockerwall-held4",
  } as const;
  const engine = "mkdir -p /sys/fs/cgroup/system.slice/docker.service";

  it("leaves without the unit", () => {
    assert.deepEqual(questions(groups, engine), [...left, ...left]);
  });

  for (const [title, before] of [
    ["is held, and no other program's", '"$@"'],
    ["is held when the unit is started again", '"$@"; "$@"'],
    [
      "is held when the engine's group is another one by then",
      '"$@"; rmdir /sys/fs/cgroup/system.slice/docker.service; "$@"',
    ],
    // The kernel refuses this match in a chain that FORWARD leads to.
    ["is held where the daemon's rules stand beside Docker's", `${rulesOfBoth}; "$@"`],
  ] as const) {
    it(title, () => {
      assert.deepEqual(questions(groups, before), [...held, ...left]);
      const rules = run(`iptables-${backend}-save`);
      // By now its group is gone, or not to be seen from here: others write their rules all the same.
      for (const table of ["mangle", "filter"])
        run(`iptables-${backend}`, "-t", table, "-A", "OUTPUT", "-j", "RETURN");
      assert.equal(rules.match(/^-A .* held-since-start -j (DROP|REJECT)/gm)?.length, 2, rules);
      const plan = (saved: string): string => planEngineHold({ ...wanted, saved });
      assert.doesNotMatch(plan(rules), /dockerwall-held4|-I OUTPUT/, "a daemon leaves it without an end");
      // As the unit says how to pull an image, and as a restart of the host's own rules leaves it.
      assert.match(plan(rules.replaceAll(/^-A DOCKERWALL-ENGINE .*\n/gm, "")), /dockerwall-held4/);
      assert.match(
        plan(rules.replaceAll(/^-A OUTPUT -j DOCKERWALL-ENGINE\n/gm, "")),
        /dockerwall-held4.*-I OUTPUT/s,
      );
      assert.match(planEngineHold({ ...wanted, group: "other.service", saved: rules }), /dockerwall-held4/);
    });
  }

  it("is not held without cgroup v2: said, and no failure", () => {
    const said = questions("mount -t tmpfs -o ro tmpfs /sys/fs/cgroup", '"$@"');
    assert.deepEqual(said, [
      "lookups of the engine are not held: no cgroup v2, or no match by it",
      ...left,
      ...left,
    ]);
  });
}

describe("saved rules that name our sets", () => {
  for (const backend of backends) {
    it(`are loaded at boot (${backend})`, async () => {
      const sets = openKernelSets();
      run("nft", "flush", "ruleset");
      createSets(sets);
      const tables = desiredRules({ family: 4, dnsPort: 5053, queueNumber: 5353, hold: true });
      await createIptables(backend).apply(4, tables);
      run(`iptables-${backend}`, "-A", "INPUT", "-s", "192.0.2.99", "-j", "DROP");
      const saved = run(`iptables-${backend}-save`);
      run(`iptables-${backend}`, "-F", "INPUT");
      await createIptables(backend).apply(4, []);
      destroySets(sets);
      const load = (): number | null => spawnSync(`iptables-${backend}-restore`, { input: saved }).status;
      assert.notEqual(load(), 0);
      startUnit(bootSetsUnit());
      assert.equal(setsExist(sets), true);
      assert.equal(load(), 0);
      assert.match(run(`iptables-${backend}`, "-S", "INPUT"), /192\.0\.2\.99/);
      // The daemon takes such sets for its own.
      createSets(sets);
      await createIptables(backend).apply(4, []);
      destroySets(sets);
      assert.deepEqual(sets.names(), []);
      sets.close();
    });
  }
});
