// Whether iptables sees what crosses a bridge (br_netfilter). DOCKERWALL_BRIDGE_FILTER=off runs any suite of the lab on
// hosts where it does not, as on those whose engine never turned it on.
import type { Box } from "./box.ts";

const files = "/proc/sys/net/bridge/bridge-nf-call-iptables /proc/sys/net/bridge/bridge-nf-call-ip6tables";
const wanted = process.env["DOCKERWALL_BRIDGE_FILTER"];
if (wanted !== undefined && wanted !== "off")
  throw new Error(`DOCKERWALL_BRIDGE_FILTER: "${wanted}"; it can be "off" only`);

/** Turns it off in a host whose engine has started, where this run is for that. Engines turn it on at their start. */
export async function setBridgeFilter(box: Pick<Box, "attempt">): Promise<void> {
  if (wanted === "off") await box.attempt(["sh", "-c", `for f in ${files}; do echo 0 > $f; done`]);
}

/** @throws Error when something has turned it on again: what was tried then proves nothing */
export async function assertBridgeFilter(box: Pick<Box, "attempt">): Promise<void> {
  if (wanted !== "off") return;
  const { stdout } = await box.attempt(["sh", "-c", `cat ${files}`]);
  if (stdout !== "0\n0") throw new Error(`lab: br_netfilter was turned on again: ${JSON.stringify(stdout)}`);
}
