// `dockerwall boot-guard`: after a reboot Docker starts containers before any container of ours can run. A unit of
// the host's own systemd closes their bridges first; the daemon, when it comes, opens what is to be open.

import { bootGuardUnit } from "../firewall/boot-guard.ts";
import type { Command } from "./command.ts";

export const bootGuardCommand: Command = {
  operands: "",
  leastOperands: 0,
  mostOperands: 0,
  summary:
    "Print a systemd unit that holds every Docker bridge from boot until the daemon has classified it.",
  details: [
    "Save it and enable it:",
    "  docker exec dockerwall dockerwall boot-guard > /etc/systemd/system/dockerwall-boot-guard.service",
    "  systemctl daemon-reload && systemctl enable dockerwall-boot-guard.service",
    "Until the daemon runs, no container on a bridge network reaches anything, guarded or not.",
    "Docker does not start when the unit fails; that the kernel has no IPv6 is no failure.",
  ].join("\n"),
  options: {},
  run: ({ output }) => {
    output.write(bootGuardUnit());
    return Promise.resolve(0);
  },
};
