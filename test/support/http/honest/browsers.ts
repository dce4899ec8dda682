// What browsers send, and who asks for WebSocket.

import { type Honest, head, one } from "./make.ts";

export const fromBrowsers: readonly Honest[] = [
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
    upgrade: "websocket",
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
    upgrade: "websocket",
  },
];
