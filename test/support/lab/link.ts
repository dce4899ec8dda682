// The one wire between an engine's host and the fake internet.
import type { LinkPlan } from "./addresses.ts";
import type { Box } from "./box.ts";

async function ip(box: Box, lines: readonly string[]): Promise<void> {
  await box.command(["ip", "-batch", "-"], { input: `${lines.join("\n")}\n` });
}

/** Joins both by a veth pair: `device` in the internet, `eth0` in the host, which gets its default routes. */
export async function joinToInternet(
  internet: Box,
  host: Box,
  device: string,
  plan: LinkPlan,
): Promise<void> {
  await ip(internet, [
    `link add ${device} type veth peer name eth0 netns ${host.pid}`,
    `addr add ${plan.gateway}/24 dev ${device}`,
    `addr add ${plan.gateway6}/64 dev ${device} nodad`,
    `link set ${device} up`,
  ]);
  await ip(host, [
    "link set lo up",
    `addr add ${plan.host}/24 dev eth0`,
    `addr add ${plan.host6}/64 dev eth0 nodad`,
    "link set eth0 up",
    `route add default via ${plan.gateway}`,
    `route add default via ${plan.gateway6} dev eth0`,
  ]);
  // Only now: the next hop is not a valid one before the link is up.
  await ip(internet, [`route add ${plan.prefix6} via ${plan.host6} dev ${device}`]);
}
