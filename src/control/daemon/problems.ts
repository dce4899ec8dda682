// What the host or the engine does not give us, as sentences that say what is not closed for want of it.

import type { Log } from "../../edge/host/log.ts";
import type { Statement } from "../reporter/told.ts";
import type { Reporter } from "../reporter.ts";
import type { MissingOnHost } from "./host.ts";

const levels = { problem: "error", warning: "warn", solved: "info" } as const;

/** A problem, a warning, or the end of one, each at its level. */
export function logStatement(log: Log, { kind, sentence }: Statement): void {
  const level = levels[kind];
  log[level](kind, { problem: sentence });
}

/** Says what this host or this container does not offer, and what is not closed for want of it. */
export function tellMissing(
  reporter: Pick<Reporter, "onProblem">,
  { uncaptured, unguardedPorts, unheldPorts }: MissingOnHost,
): void {
  if (uncaptured !== undefined) reporter.onProblem("capture", uncaptured);
  if (unheldPorts !== undefined)
    reporter.onProblem(
      "bridges",
      `what new containers send is not held (${unheldPorts}): one that is on an open network too can send by that one while the host is so busy that the daemon does not see it in time`,
    );
  if (unguardedPorts === undefined) return;
  reporter.onProblem(
    "ports",
    `senders are known by their addresses alone (${unguardedPorts}): a container can send as its neighbour, quarantine does not cut neighbours where the host has no br_netfilter, and a new container that gets the address of one that is gone counts as that one until it is known`,
  );
}

/** What this host lacks without leaving anything open, one sentence each. */
export function doneWithout({
  unbatched,
  ipv6,
}: Pick<MissingOnHost, "unbatched" | "ipv6">): readonly string[] {
  return [
    ...(unbatched === undefined
      ? []
      : [
          `lookups take a system call more for each datagram: recvmmsg or sendmmsg is refused here (${unbatched}); allow both in the container's seccomp profile`,
        ]),
    ...(ipv6 === undefined
      ? []
      : [
          `this kernel has no IPv6 (${ipv6}): networks are guarded by IPv4 alone, and nothing leaves by IPv6; after it has got IPv6, restart Dockerwall`,
        ]),
  ];
}

/** Says which containers cannot be read, and what that means. */
export function tellUnread(
  reporter: Pick<Reporter, "onProblem" | "clearProblem">,
  unread: readonly { readonly name: string; readonly why: string }[],
): void {
  if (unread.length === 0) {
    reporter.clearProblem("containers");
    return;
  }
  const told = unread.slice(0, 5).map(({ name, why }) => `container ${JSON.stringify(name)} (${why})`);
  const more = unread.length > told.length ? [`${unread.length - told.length} more`] : [];
  reporter.onProblem(
    "containers",
    `what the engine has of ${[...told, ...more].join(", ")} cannot be read: lookups that depend on it fail until it is; look at \`docker inspect\` of it`,
  );
}
