// How the rows of honest requests are put together.

export interface Honest {
  readonly client: string;
  readonly text: string;
  /** Host, and bytes of the body as sent, of each request. */
  readonly asks: readonly (readonly [host: string, bodyBytes: number])[];
  /** What the last one asks for. */
  readonly upgrade?: "websocket" | "h2c";
}

/** Lines with their ends, and the empty one behind them. */
export function head(...lines: readonly string[]): string {
  return `${lines.join("\r\n")}\r\n\r\n`;
}

export function one(client: string, text: string, bodyBytes = 0, host = "www.example.org"): Honest {
  return { client, text, asks: [[host, bodyBytes]] };
}
