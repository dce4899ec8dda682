// What happens to packets from ports whose sandbox is not known yet. They were sent before the host's rules could know
// their sender: if the sender turns out to be guarded, it has sent them past its guard.

/**
 * What is known of a port: its container is on no guarded network, is on one, or may be; or it is gone, and nobody will
 * ever tell whose it was.
 */
export type PortState = "open" | "guarded" | "unknown" | "gone";

/** What becomes of a packet that came by a port, by what is known of it now. */
export function judgePort(state: PortState): "passes" | "refused" | "waits" {
  if (state === "unknown") return "waits";
  return state === "open" ? "passes" : "refused";
}
