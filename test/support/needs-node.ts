// Imported first where tests begin: an older Node would end them without a reason.

import { readFileSync } from "node:fs";

const { engines } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  readonly engines: { readonly node: string };
};
const least = Number(/\d+/.exec(engines.node)?.[0]);

if (Number(process.versions.node.split(".")[0]) < least) {
  process.stderr.write(
    `These tests need Node ${least} or newer, and this is ${process.version}: run npm run test:one -- FILE, which finds the right one.\n`,
  );
  process.exit(1);
}
