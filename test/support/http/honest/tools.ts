// What tools of the command line send.

import { type Honest, head, one } from "./make.ts";

function aptAsks(path: string): string {
  return head(
    `GET /debian/dists/stable/${path} HTTP/1.1`,
    "Host: deb.example.org",
    "Cache-Control: max-age=0",
    "Accept: text/*",
    "User-Agent: Debian APT-HTTP/1.3 (2.6.1)",
  );
}

export const fromTools: readonly Honest[] = [
  one("curl", head("GET /a HTTP/1.1", "Host: www.example.org", "User-Agent: curl/7.88.1", "Accept: */*")),
  one(
    "curl, HTTP/1.0",
    head("GET /a HTTP/1.0", "Host: www.example.org", "User-Agent: curl/7.88.1", "Accept: */*"),
  ),
  one("curl -I", head("HEAD /a HTTP/1.1", "Host: www.example.org", "User-Agent: curl/7.88.1", "Accept: */*")),
  one("curl, OPTIONS *", head("OPTIONS * HTTP/1.1", "Host: www.example.org", "User-Agent: curl/7.88.1")),
  one("curl, another port", head("GET / HTTP/1.1", "Host: www.example.org:8080", "Accept: */*")),
  one(
    "an old client, a path in raw UTF-8",
    head("GET /\xc3\xa4 HTTP/1.1", "Host: www.example.org", "Accept: */*"),
  ),
  one("curl, upper case", head("GET / HTTP/1.1", "Host: WWW.Example.ORG", "Accept: */*")),
  one(
    "curl -d",
    `${head(
      "POST /a HTTP/1.1",
      "Host: www.example.org",
      "User-Agent: curl/7.88.1",
      "Accept: */*",
      "Content-Length: 3",
      "Content-Type: application/x-www-form-urlencoded",
    )}x=1`,
    3,
  ),
  one(
    "curl -T, a file that waits for 100",
    `${head(
      "PUT /up HTTP/1.1",
      "Host: www.example.org",
      "User-Agent: curl/7.88.1",
      "Accept: */*",
      "Content-Length: 3000",
      "Expect: 100-continue",
    )}${"GET / HTTP/1.1\r\nHost: x\r\n\r\n...".repeat(100)}`,
    3000,
  ),
  one(
    "curl -T -",
    `${head(
      "PUT /up HTTP/1.1",
      "Host: www.example.org",
      "Accept: */*",
      "Transfer-Encoding: chunked",
      "Expect: 100-continue",
    )}5\r\nhello\r\n0\r\n\r\n`,
    15,
  ),
  one(
    "wget",
    head(
      "GET /a HTTP/1.1",
      "Host: www.example.org",
      "User-Agent: Wget/1.21.3",
      "Accept: */*",
      "Accept-Encoding: identity",
      "Connection: Keep-Alive",
    ),
  ),
  one(
    "busybox wget",
    head("GET /a HTTP/1.1", "Host: www.example.org", "User-Agent: Wget", "Connection: close"),
  ),
  {
    client: "git clone",
    text: `${head(
      "GET /x.git/info/refs?service=git-upload-pack HTTP/1.1",
      "Host: git.example.org",
      "User-Agent: git/2.39.5",
      "Accept: */*",
      "Accept-Encoding: deflate, gzip, br, zstd",
      "Accept-Language: C, *;q=0.9",
      "Pragma: no-cache",
      "Git-Protocol: version=2",
    )}${head(
      "POST /x.git/git-upload-pack HTTP/1.1",
      "Host: git.example.org",
      "User-Agent: git/2.39.5",
      "Content-Type: application/x-git-upload-pack-request",
      "Accept: application/x-git-upload-pack-result",
      "Git-Protocol: version=2",
      "Content-Length: 20",
    )}0014command=ls-refs\n`,
    asks: [
      ["git.example.org", 0],
      ["git.example.org", 20],
    ],
  },
  {
    client: "apt, several at once",
    text: ["InRelease", "main/binary-all/Packages.xz", "main/binary-amd64/Packages.xz"].map(aptAsks).join(""),
    asks: [
      ["deb.example.org", 0],
      ["deb.example.org", 0],
      ["deb.example.org", 0],
    ],
  },
  one(
    "pip",
    head(
      "GET /simple/six/ HTTP/1.1",
      "Host: www.example.org",
      'User-Agent: pip/23.2.1 {"ci":null,"cpu":"x86_64","distro":{"id":"bookworm","libc":{"lib":"glibc","version":"2.36"}}}',
      "Accept-Encoding: gzip, deflate",
      "Accept: application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01",
      "Connection: keep-alive",
      "Cache-Control: max-age=0",
    ),
  ),
  one(
    "npm",
    head(
      "GET /left-pad HTTP/1.1",
      "user-agent: npm/11.19.1 node/v24.21.0 linux x64 workspaces/false",
      "pacote-version: 21.5.1",
      "pacote-req-type: packument",
      "accept: application/json",
      "Accept-Encoding: gzip,deflate",
      "Host: www.example.org",
      "connection: keep-alive",
    ),
  ),
];
