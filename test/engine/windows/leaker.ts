// The container that sends where it must not from its first instruction on, and what it sends as the wire shows it.

import { denied } from "../../support/flood.ts";

/** What `denied` is by IPv4. */
export const denied6 = "2001:db8:1::1e";

/** Every packet of a leaker, as in pcap-filter(7). */
export const leaks = `dst host ${denied} or dst host ${denied6}`;

/**
 * Sends at once, then asks for a name of its own, then sends `packets` more: all by bash itself, without a process in
 * between. By IPv6 on the side, whose address may come a moment later. Then runs `rest`.
 */
export const leaker = (packets: number, rest: string): string =>
  `( until exec 4<>/dev/udp/${denied6}/9000; do :; done
for (( i = 0; i < ${packets}; i++ )); do echo x >&4; done ) 2>/dev/null &
until exec 3<>/dev/udp/${denied}/9000; do :; done 2>/dev/null
for i in {1..20}; do echo x >&3; done 2>/dev/null
( : <>/dev/udp/window-$HOSTNAME.example.org/9 ) 2>/dev/null
for (( i = 0; i < ${packets}; i++ )); do echo x >&3; done 2>/dev/null
wait
${rest}`;

/** Sends on and on, a packet every few milliseconds, and asks for its name every second. */
export const onAndOn = leaker(
  50,
  `exec 4<>/dev/udp/${denied6}/9000
while :; do read -t 0.005 <> <(:); echo x >&3; echo x >&4
  (( i++ % 100 )) || ( : <>/dev/udp/window-$HOSTNAME.example.org/9 )
done 2>/dev/null`,
);

/** Options of a container that leaks: its resolver gives up soon. */
export const settings = ["-e", "RES_OPTIONS=timeout:1 attempts:1"];
