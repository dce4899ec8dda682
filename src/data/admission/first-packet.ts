// A first packet that the kernel asks about: the entry that lets it and its like pass.

import type { Membership } from "../../core/askers/standing.ts";
import { readableDomain } from "../../core/grants/comment.ts";
import { leaseCeilingSeconds } from "../../core/grants/ledger.ts";
import { familyOf } from "../../core/model/address.ts";
import { networkOf } from "../answerer/askers.ts";
import { addEntry, isCrowded } from "../grant-entries.ts";
import type { Packet } from "./packet.ts";
import type { Rights } from "./rights.ts";

/** How long a flow right under an address entry of the allowlist stands before the kernel asks again, seconds. */
const addressLeaseSeconds = 3600;

/** Whether it may pass; then its entry is in the kernel on return. */
export function admitPacket(rights: Rights, packet: Packet, memberships: readonly Membership[]): boolean {
  const { source, destination, protocol, port, setPort } = packet;
  const { ledger, index, entries, nowMs } = rights;
  const { allowed, by, name } = rights.verdict(packet, memberships);
  if (!allowed) return false;
  const right = ledger.judge(source, destination, { protocol, port }, nowMs());
  if (name !== undefined && right === undefined) return false;
  const network = networkOf(source, memberships);
  index.place(source, network);
  if (isCrowded(entries, source, network)) return false;
  const lease = name === undefined ? addressLeaseSeconds : (right?.secondsLeft ?? 0);
  const ends = by?.endsAtMs === undefined ? leaseCeilingSeconds : Math.floor((by.endsAtMs - nowMs()) / 1000);
  const timeoutSeconds = Math.min(lease, leaseCeilingSeconds, ends);
  if (timeoutSeconds < 1) return false;
  const comment = readableDomain(name ?? destination);
  const place = { family: familyOf(destination), destination, asker: source, protocol, port: setPort };
  addEntry(entries, { ...place, set: "grant", timeoutSeconds, comment });
  return true;
}
