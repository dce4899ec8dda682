// Open flows of a container, one TCP and one UDP, that say how often they were answered.

import { client, inside, run } from "../../support/dockerwall.ts";
import { until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";

const talker = (host: string): string => `
import socket, threading, time
def talk(s, kind):
    n = 0
    while True:
        try:
            s.send(b"x"); s.recv(1); n += 1
            open("/tmp/" + kind, "w").write(str(n))
        except TimeoutError: pass
        time.sleep(0.02)
a = socket.gethostbyname("${host}")
t = socket.create_connection((a, 9000), 5); t.settimeout(0.2)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect((a, 9000)); u.settimeout(0.2)
threading.Thread(target=talk, args=(t, "tcp")).start()
talk(u, "udp")
`;

export interface Flows extends AsyncDisposable {
  /** Resolves when both have been answered again. */
  goOn(): Promise<void>;
  /** Resolves when neither has been answered for a while in which each has tried some ten times. */
  stands(): Promise<void>;
}

export async function holdFlows(
  engine: Engine,
  given: { readonly network: string; readonly name: string; readonly host: string; readonly label: string },
): Promise<Flows> {
  const { network, name, host, label } = given;
  await client(engine, name, network, "--label", `dockerwall.allow=${label}`);
  await run(engine, "exec", "-d", name, "python3", "-c", talker(host));
  const answered = async (): Promise<readonly number[]> => {
    const { stdout } = await inside(engine, name, "sh", "-c", "cat /tmp/tcp; echo; cat /tmp/udp");
    return stdout.split("\n").map(Number);
  };
  return {
    async goOn() {
      const [tcp = 0, udp = 0] = await answered();
      await until(`both flows of ${name} to go on`, 20_000, async () => {
        const [nowTcp = 0, nowUdp = 0] = await answered();
        return nowTcp > tcp + 2 && nowUdp > udp + 2 ? true : undefined;
      });
    },
    async stands() {
      let before = await answered();
      let quiet = 0;
      await until(`both flows of ${name} to end`, 20_000, async () => {
        await inside(engine, name, "sleep", "0.5");
        const now = await answered();
        quiet = now.join() === before.join() ? quiet + 1 : 0;
        before = now;
        return quiet >= 3 ? true : undefined;
      });
    },
    [Symbol.asyncDispose]: async () => {
      await run(engine, "rm", "-f", name);
    },
  };
}
