// The lab's own certificate authority, which client images trust, and the one certificate of its HTTPS servers.
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import type { Box } from "./box.ts";
import { cached, digest } from "./cache.ts";

// A wildcard stands for one label only (RFC 6125), so the names in use are listed by their parents.
const names = [
  ...["example.com", "example.net", "example.org", "github.com", "big.example", "bulk.example"],
  ...["wild.example.com", "fresh.example.com", "ci.example.com", "wild.example.net"],
].flatMap((name) => [`DNS:${name}`, `DNS:*.${name}`]);
const days = "3650";
const recipe = { names, days, version: 1 };

/** Paths of the authority's certificate, and of the servers' certificate and key. */
export type Certificates = { readonly authority: string; readonly certificate: string; readonly key: string };

/** The certificates, made on first use with the openssl of `box`, which sees its run folder as /run. */
export async function certificates(box: Box): Promise<Certificates> {
  const folder = await cached("certificates", digest(recipe), async (draft) => {
    const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", days];
    const request = (name: string, ...rest: string[]): Promise<string> =>
      box.command([...["openssl", "req", "-x509", ...newKey, "-subj", `/CN=${name}`], ...rest]);
    await request("Lab authority", "-keyout", "/run/ca.key", "-out", "/run/ca.crt");
    await request(
      "Lab server",
      ...[
        "-CA",
        "/run/ca.crt",
        "-CAkey",
        "/run/ca.key",
        "-keyout",
        "/run/server.key",
        "-out",
        "/run/server.crt",
      ],
      ...["-addext", `subjectAltName=${names.join(",")}`, "-addext", "basicConstraints=critical,CA:false"],
      ...["-addext", "extendedKeyUsage=serverAuth"],
    );
    for (const file of ["ca.crt", "server.crt", "server.key"])
      await copyFile(join(box.runFolder, file), join(draft, file));
  });
  return {
    authority: join(folder, "ca.crt"),
    certificate: join(folder, "server.crt"),
    key: join(folder, "server.key"),
  };
}
