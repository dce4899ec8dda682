// Requests as clients send them: most were taken from the wire, with the hosts replaced.

interface Honest {
  readonly client: string;
  readonly text: string;
  /** Host, and bytes of the body as sent, of each request. */
  readonly asks: readonly (readonly [host: string, bodyBytes: number])[];
  readonly isWebSocket?: true;
}

/** Lines with their ends, and the empty one behind them. */
function head(...lines: readonly string[]): string {
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function one(client: string, text: string, bodyBytes = 0, host = "www.example.org"): Honest {
  return { client, text, asks: [[host, bodyBytes]] };
}

function aptAsks(path: string): string {
  return head(
    `GET /debian/dists/stable/${path} HTTP/1.1`,
    "Host: deb.example.org",
    "Cache-Control: max-age=0",
    "Accept: text/*",
    "User-Agent: Debian APT-HTTP/1.3 (2.6.1)",
  );
}

const fromTools: readonly Honest[] = [
  one("curl", head("GET /a HTTP/1.1", "Host: www.example.org", "User-Agent: curl/7.88.1", "Accept: */*")),
  one(
    "curl, HTTP/1.0",
    head("GET /a HTTP/1.0", "Host: www.example.org", "User-Agent: curl/7.88.1", "Accept: */*"),
  ),
  one("curl -I", head("HEAD /a HTTP/1.1", "Host: www.example.org", "User-Agent: curl/7.88.1", "Accept: */*")),
  one("curl, OPTIONS *", head("OPTIONS * HTTP/1.1", "Host: www.example.org", "User-Agent: curl/7.88.1")),
  one("curl, another port", head("GET / HTTP/1.1", "Host: www.example.org:8080", "Accept: */*")),
  one("curl, a path in raw UTF-8", head("GET /\xc3\xa4 HTTP/1.1", "Host: www.example.org", "Accept: */*")),
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

const fromLanguages: readonly Honest[] = [
  one(
    "node, fetch",
    head(
      "GET /a HTTP/1.1",
      "host: www.example.org",
      "connection: keep-alive",
      "accept: */*",
      "accept-language: *",
      "sec-fetch-mode: cors",
      "user-agent: node",
      "accept-encoding: gzip, deflate",
    ),
  ),
  one(
    "node, with a trailer",
    `${head(
      "POST /a HTTP/1.1",
      "Trailer: X-Sum",
      "Host: www.example.org",
      "Connection: keep-alive",
      "Transfer-Encoding: chunked",
    )}3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n`,
    23,
  ),
  one(
    "python, urllib",
    head(
      "GET /a HTTP/1.1",
      "Accept-Encoding: identity",
      "Host: www.example.org",
      "User-Agent: Python-urllib/3.11",
      "Connection: close",
    ),
  ),
  one(
    "python, http.client in chunks",
    `${head(
      "POST /a HTTP/1.1",
      "Host: www.example.org",
      "Accept-Encoding: identity",
      "Transfer-Encoding: chunked",
    )}2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n`,
    20,
  ),
  one(
    "go",
    head(
      "GET /a HTTP/1.1",
      "Host: www.example.org",
      "User-Agent: Go-http-client/1.1",
      "Accept-Encoding: gzip",
    ),
  ),
  one(
    "go, in chunks",
    `${head(
      "POST /a HTTP/1.1",
      "Host: www.example.org",
      "User-Agent: Go-http-client/1.1",
      "Transfer-Encoding: chunked",
      "Accept-Encoding: gzip",
    )}1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n`,
    37,
  ),
  one("perl, HTTP::Tiny", head("GET /a HTTP/1.1", "Host: www.example.org", "User-Agent: HTTP-Tiny/0.080")),
  one(
    "perl, LWP",
    head(
      "GET /a HTTP/1.1",
      "TE: deflate,gzip;q=0.3",
      "Connection: TE, close",
      "Host: www.example.org",
      "User-Agent: libwww-perl/6.68",
    ),
  ),
  one(
    "java, HttpURLConnection",
    head(
      "GET /a HTTP/1.1",
      "User-Agent: Java/17.0.15",
      "Host: www.example.org",
      "Accept: text/html, image/gif, image/jpeg, */*; q=0.2",
      "Connection: keep-alive",
    ),
  ),
  one(
    "a client that signs each chunk in an extension",
    `${head("PUT /o HTTP/1.1", "Host: www.example.org", "Transfer-Encoding: chunked")}3;sig=ab\r\nabc\r\n0;sig=cd\r\n\r\n`,
    27,
  ),
  one("a DAV client", head("PROPFIND /d HTTP/1.1", "Host: www.example.org", "Depth: 1", "Content-Length: 0")),
];

const fromBrowsers: readonly Honest[] = [
  one(
    "chrome",
    head(
      "GET /a?q=1 HTTP/1.1",
      "Host: www.example.org",
      "Connection: keep-alive",
      "Upgrade-Insecure-Requests: 1",
      "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
      "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
      "Accept-Encoding: gzip, deflate",
      "Accept-Language: en-US,en;q=0.9",
      'Cookie: a="1"; b=\xe9',
    ),
  ),
  one(
    "firefox, another method",
    head(
      "OPTIONS /api HTTP/1.1",
      "Host: www.example.org",
      "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
      "Access-Control-Request-Method: POST",
      "Origin: http://app.example.org",
      "Connection: keep-alive",
      "Priority: u=4",
    ),
  ),
  one(
    "a client that takes its server for a proxy",
    head("GET http://www.example.org:80/a HTTP/1.1", "Host: www.example.org"),
  ),
  {
    ...one(
      "node, WebSocket",
      `${head(
        "GET /chat HTTP/1.1",
        "host: www.example.org",
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-key: 4J7iPTESxabxccrNo+ky6g==",
        "sec-websocket-version: 13",
        "sec-websocket-extensions: permessage-deflate; client_max_window_bits",
        "sec-fetch-mode: websocket",
        "user-agent: node",
      )}`,
    ),
    isWebSocket: true,
  },
  {
    ...one(
      "firefox, WebSocket",
      `${head(
        "GET /chat HTTP/1.1",
        "Host: www.example.org",
        "Sec-WebSocket-Version: 13",
        "Origin: http://www.example.org",
        "Sec-WebSocket-Key: 4J7iPTESxabxccrNo+ky6g==",
        "Connection: keep-alive, Upgrade",
        "Upgrade: WebSocket",
      )}`,
    ),
    isWebSocket: true,
  },
];

export const honest: readonly Honest[] = [...fromTools, ...fromLanguages, ...fromBrowsers];
