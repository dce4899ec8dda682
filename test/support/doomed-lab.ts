// A lab whose owner only waits to be killed.

import { startLab } from "./lab/lab.ts";

const lab = await startLab({ engines: ["e28"] });
const { exitCode, stderr } = await lab.engine("e28").docker("run", "-d", "-p", "8080:80", "busybox:lab");
if (exitCode !== 0) throw new Error(stderr);
console.log(lab.name);
setInterval(() => undefined, 1_000);
