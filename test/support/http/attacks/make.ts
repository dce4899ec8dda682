// How the attacks are put together.

export type Attacks = Readonly<Record<string, string>>;

export const host = "Host: www.example.org\r\n";
export const evil = "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n";

/** A request with these fields besides its host, and this behind its head. */
export function post(fields: string, behind = ""): string {
  return `POST / HTTP/1.1\r\n${host}${fields}\r\n\r\n${behind}`;
}

export function get(target: string, hosts = host): string {
  return `GET ${target} HTTP/1.1\r\n${hosts}\r\n`;
}

export function from(value: string): string {
  return get("/", `Host: ${value}\r\n`);
}

export function chunks(...lines: readonly string[]): string {
  return post("Transfer-Encoding: chunked", lines.join("\r\n"));
}

export function offer(...lines: readonly string[]): string {
  return `${["GET / HTTP/1.1", "Host: www.example.org", ...lines].join("\r\n")}\r\n\r\n`;
}

export const key = "Sec-WebSocket-Key: 4J7iPTESxabxccrNo+ky6g==";

/** One for each value, by what it is. */
export function named(values: readonly string[], make: (value: string) => string): Attacks {
  return Object.fromEntries(values.map((value) => [JSON.stringify(value), make(value)]));
}
