// A connection that is at work while something else happens: it says a byte and waits for its echo, again and again.

import { run, succeeds } from "./dockerwall.ts";
import { until } from "./lab/command.ts";
import type { Engine } from "./lab/engine.ts";

const talker = `
import socket, time
s = socket.create_connection(("www.example.com", 9000), timeout=5)
n = 0
while True:
    s.sendall(b"x")
    assert s.recv(1) == b"x"
    n += 1
    open("/tmp/echoes", "w").write(str(n))
    time.sleep(0.05)
`;

/** Opens it in a container and returns when the first echo is there. */
export async function talk(engine: Engine, container: string): Promise<void> {
  await succeeds(engine, container, "rm", "-f", "/tmp/echoes");
  await run(engine, "exec", "-d", container, "python3", "-c", talker);
  await until("the first echo", 5_000, async () => {
    const { stdout } = await engine.docker("exec", container, "cat", "/tmp/echoes");
    return Number(stdout) > 0 ? true : undefined;
  });
}

/** Waits until a few more have come. */
export async function talksOn(engine: Engine, container: string): Promise<void> {
  const echoes = async (): Promise<number> => Number(await succeeds(engine, container, "cat", "/tmp/echoes"));
  const from = await echoes();
  await until("echoes on the open flow", 5_000, async () => ((await echoes()) > from + 3 ? true : undefined));
}
