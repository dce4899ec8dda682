// What the libraries of languages send.

import { type Honest, head, one } from "./make.ts";

export const fromLanguages: readonly Honest[] = [
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
  {
    ...one(
      "java, HttpClient",
      head(
        "GET /b HTTP/1.1",
        "Connection: Upgrade, HTTP2-Settings",
        "Content-Length: 0",
        "Host: www.example.org",
        "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",
        "Upgrade: h2c",
        "User-Agent: Java-http-client/17.0.15",
      ),
    ),
    upgrade: "h2c",
  },
  one(
    "a client that signs each chunk in an extension",
    `${head("PUT /o HTTP/1.1", "Host: www.example.org", "Transfer-Encoding: chunked")}3;sig=ab\r\nabc\r\n0;sig=cd\r\n\r\n`,
    27,
  ),
  one("a DAV client", head("PROPFIND /d HTTP/1.1", "Host: www.example.org", "Depth: 1", "Content-Length: 0")),
];
