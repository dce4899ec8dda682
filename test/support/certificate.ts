// A certificate for a server on loopback: dns.example.org and 127.0.0.1.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** Its own authority, good for two days. */
export function makeCertificate(): Certificate {
  const folder = mkdtempSync(join(tmpdir(), "dockerwall-tls-"));
  try {
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const names = ["-addext", "subjectAltName=DNS:dns.example.org,IP:127.0.0.1"];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    const kind = ["-x509", ...curve, "-nodes", "-days", "2", "-subj", "/CN=dns.example.org"];
    execFileSync("openssl", ["req", ...kind, ...names, "-keyout", key, "-out", cert], { stdio: "ignore" });
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
