// The product's version, from the manifest: package.json is beside both src/ and dist/.

import { readFileSync } from "node:fs";

/** `1.2.3`. */
export function readVersion(): string {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
  );
  return (manifest as { readonly version: string }).version;
}
