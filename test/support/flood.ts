// What leaves a guarded container when it should not: a container that sends without end, the wire that is watched
// meanwhile, and how long the rules of a host were not what they should be.

import { run } from "./dockerwall.ts";
import type { Engine } from "./lab/engine.ts";
import type { Packet } from "./lab/pcap.ts";

/** Where floods go; nothing in any test allows it. */
export const denied = "203.0.113.30";

/** One packet about every millisecond: the window between two of them is what can be told apart. */
const sender = `
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
n = 0
while True:
    n += 1
    try: s.sendto(b"flood %d" % n, ("${denied}", 9000))
    except OSError: pass
    time.sleep(0.0008)
`;

/** Starts a container that sends to `denied` until it is removed. */
export async function flooder(engine: Engine, name: string, on: string, ...options: string[]): Promise<void> {
  await run(
    engine,
    "run",
    "-d",
    "--name",
    name,
    "--network",
    on,
    ...options,
    "client:lab",
    "python3",
    "-c",
    sender,
  );
}

/** From the first packet that should not be there to the last, milliseconds; 0 when there is none. */
export function openFor(packets: readonly Packet[]): number {
  const times = packets.map((packet) => packet.time.getTime());
  return times.length === 0 ? 0 : Math.max(...times) - Math.min(...times) + 1;
}

/**
 * Our rules in order, and for every built-in chain its first rule when that is ours: what must be the same again. In
 * bash, in the host, so that looking takes as long as the tools do.
 */
const look = `
look() {
  local line table chain; local -A seen=()
  { iptables-save; echo '*6'; ip6tables-save; } 2>/dev/null | while read -r line; do
    case $line in
      \\**) table=$line; seen=() ;;
      # Says what was missing when it was made anew, and judges nothing.
      '-A DOCKERWALL-MADE '*) ;;
      # Docker's own chain: who takes it away takes our jump along, by which nothing is let pass or dropped.
      '-A DOCKER-USER '*) ;;
      # What stands in for it until Docker makes it again.
      '-A FORWARD '*' -j DOCKERWALL-REJECT') ;;
      '-A DOCKERWALL-'*) echo "$table $line" ;;
      '-A '*)
        chain=\${line#-A }; chain=\${chain%% *}
        if [[ -z \${seen[$chain]} || $line == *DOCKERWALL-* ]]; then echo "$chain \${seen[$chain]:-first} $table $line"; fi
        seen[$chain]=later ;;
    esac
  done | grep DOCKERWALL- | sort -s -k1,3
}
`;

/** @property ms from the end of the change until everything was as before; undefined when it was not within the limit */
export interface Healing {
  readonly ms: number | undefined;
  readonly difference: string;
}

/** Runs a change in the host and looks until our rules are what they were before it. */
export async function healing(engine: Engine, change: string, limitMs: number): Promise<Healing> {
  const script = `${look}
before=$(look)
[ -n "$before" ] || { echo "no rules of ours"; exit 2; }
( ${change} ) || { echo "the change failed"; exit 2; }
start=\${EPOCHREALTIME/./}
while :; do
  now=$(look); at=\${EPOCHREALTIME/./}
  [ "$now" = "$before" ] && { echo "$(( (at - start) / 1000 ))"; exit 0; }
  [ $(( at - start )) -gt ${limitMs * 1000} ] && { printf 'before:\\n%s\\nnow:\\n%s\\n' "$before" "$now"; exit 1; }
done`;
  const { stdout, stderr, exitCode } = await engine.exec("bash", "-c", script);
  if (exitCode === 0) return { ms: Number(stdout.trim().split("\n").at(-1)), difference: "" };
  if (exitCode === 2) throw new Error(`${engine.name}: ${stdout}\n${stderr}`);
  return { ms: undefined, difference: `${stdout}\n${stderr}` };
}
