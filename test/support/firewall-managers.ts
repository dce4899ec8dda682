// Firewall managers of Debian, each in a root of its own that it is started in, in the namespaces of a host of the lab.

import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./lab/command.ts";
import { root } from "./lab/roots.ts";

/** What stands before a command that is to run in the root. */
const inRoot = (folder: string): string =>
  `unshare --mount sh -c 'mount --bind /proc ${folder}/proc && mount --bind /dev ${folder}/dev && exec chroot ${folder} "$@"' sh`;

/** ufw of Debian in a root of its own, started in a host; what its maintainer script would have done is done here. */
export async function unpackUfw(into: string, variant: string): Promise<string> {
  await command(["cp", "-a", await root("ufw"), into]);
  const script = `cd "$1" && cp usr/share/ufw/iptables/*.rules usr/share/ufw/ufw.conf usr/share/ufw/*.init etc/ufw/
for tool in iptables ip6tables; do
  for verb in "" -save -restore; do ln -sf $tool-$2$verb usr/sbin/$tool$verb; done
done`;
  await command(["sh", "-c", script, "sh", into, variant]);
  return inRoot(into);
}

/** firewalld of Debian in a root of its own, with a D-Bus of its own, by scripts that start and stop both. */
export async function unpackFirewalld(into: string): Promise<string> {
  await command(["cp", "-a", await root("systemd"), into]);
  await appendFile(join(into, "etc/passwd"), "messagebus:x:999:999::/:/bin/false\n");
  await appendFile(join(into, "etc/group"), "messagebus:x:999:\n");
  await mkdir(join(into, "run/dbus"), { recursive: true });
  await writeFile(
    join(into, "start"),
    `rm -f /run/dbus/*
dbus-daemon --system --nofork --nopidfile >/dev/null 2>&1 </dev/null & echo $! >/run/dbus.pid
until [ -S /run/dbus/system_bus_socket ]; do sleep 0.1; done
firewalld --nofork --nopid >/dev/null 2>&1 </dev/null & echo $! >/run/firewalld.pid
for i in $(seq 200); do firewall-cmd --state && exit; sleep 0.2; done 2>/dev/null
exit 1
`,
  );
  await writeFile(
    join(into, "stop"),
    `for name in firewalld dbus; do
  kill $(cat /run/$name.pid)
  while kill -0 $(cat /run/$name.pid); do sleep 0.1; done 2>/dev/null
done
`,
  );
  return inRoot(into);
}
