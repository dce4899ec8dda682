// The boot guard's unit, as Debian's systemd reads it beside Docker's own and those of every firewall of Debian that
// empties the tables when it starts; and what its commands do where ip6tables cannot work.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { bootGuardUnit } from "../../src/core/firewall/boot-guard.ts";
import { attempt, command } from "../support/lab/command.ts";
import { root } from "../support/lab/roots.ts";
import { execStarts } from "../support/systemd.ts";

const name = "dockerwall-boot-guard.service";
const firewalls = ["nftables", "netfilter-persistent", "ufw", "firewalld"].map((each) => `${each}.service`);

let folder: string;
/** Where both tools are, and neither works. */
let tools: string;
before(async () => {
  tools = await mkdtemp("/tmp/dockerwall-tools-");
  for (const tool of ["iptables", "ip6tables"]) {
    for (const verb of ["", "-restore"])
      await writeFile(join(tools, `${tool}${verb}`), "#!/bin/sh\nexit 4\n", { mode: 0o755 });
  }
  folder = await mkdtemp("/tmp/dockerwall-units-");
  await command(["cp", "-a", `${await root("systemd")}/.`, folder]);
  // Debian does not let it be beside netfilter-persistent.
  const ufw = "usr/lib/systemd/system/ufw.service";
  await command(["cp", "-a", join(await root("ufw"), ufw), join(folder, ufw)]);
  const units = join(folder, "etc/systemd/system");
  // As `systemctl enable` would.
  for (const [by, unit] of [
    ["docker.service.requires", name],
    ["multi-user.target.wants", name],
    ...["docker.service", ...firewalls].map((each) => ["multi-user.target.wants", each] as const),
  ] as const) {
    await mkdir(join(units, by), { recursive: true });
    const target = unit === name ? `/etc/systemd/system/${unit}` : `/usr/lib/systemd/system/${unit}`;
    await symlink(target, join(units, by, unit)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
});
after(async () => {
  for (const path of [tools, folder]) await rm(path, { recursive: true, force: true });
});

/** Runs a program of the root, in it. */
async function inRoot(script: string): Promise<string> {
  const mounts = ["proc", "sys", "dev"]
    .map((each) => `mount --rbind /${each} ${folder}/${each}`)
    .join(" && ");
  const { stdout, stderr } = await attempt([
    "unshare",
    "--mount",
    "sh",
    "-c",
    `${mounts} && exec chroot ${folder} sh -c '${script}'`,
  ]);
  return `${stdout}${stderr}`;
}

describe("the boot guard's unit", () => {
  /** What systemd says of it, beside Docker and every firewall. */
  async function complaints(unit: string): Promise<readonly string[]> {
    await writeFile(join(folder, "etc/systemd/system", name), unit);
    const all = `/etc/systemd/system/${name} docker.service multi-user.target ${firewalls.join(" ")}`;
    const said = await inRoot(`systemd-analyze verify --man=no ${all}; echo verified`);
    assert.match(said, /verified/);
    return said.split("\n").filter((line) => /dockerwall|cycle/i.test(line));
  }

  it("has nothing that systemd complains about", async () => {
    assert.deepEqual(await complaints(bootGuardUnit([])), []);
  });

  it("would be complained about when its order made a circle", async () => {
    const circle = bootGuardUnit([]).replace(
      "Before=docker.service",
      "Before=nftables.service docker.service",
    );
    assert.match((await complaints(circle)).join("\n"), /ordering cycle/);
  });

  const [v4 = [], v6 = []] = execStarts(bootGuardUnit([]));
  const broken: readonly [what: string, argv: readonly string[], ipv6: boolean, exitCode: number][] = [
    ["fails where iptables does", v4, true, 4],
    ["fails where iptables does, without IPv6 in the kernel too", v4, false, 4],
    ["fails where ip6tables does", v6, true, 1],
    ["does not fail where ip6tables does because the kernel has no IPv6", v6, false, 0],
  ];
  for (const [what, argv, ipv6, exitCode] of broken) {
    it(what, async () => {
      // A kernel without IPv6 has no /proc/net/if_inet6; here it is hidden with all of /proc.
      const hide = ipv6 ? "" : "mount -t tmpfs none /proc && ";
      const outcome = await attempt(["unshare", "--mount", "sh", "-c", `${hide}exec "$@"`, "sh", ...argv], {
        env: { PATH: `${tools}:/usr/bin:/bin` },
      });
      assert.equal(outcome.exitCode, exitCode, outcome.stderr);
    });
  }
});
