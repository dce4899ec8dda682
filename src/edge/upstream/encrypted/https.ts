// DNS over HTTPS to one upstream server (RFC 8484): POST on one HTTP/2 connection, kept while it is used, with many
// queries on it at once. A query whose connection ends is posted again on the next one, once.

import { connect } from "node:http2";
import { connect as connectTls } from "node:tls";
import { contain, contained } from "../../../core/contain.ts";
import { writeWord } from "../../../core/dns/wire/words.ts";
import { bracketed } from "../../../core/model/address.ts";
import type { Upstream, UpstreamTls } from "../../../core/model/upstream.ts";
import type { TcpAsker } from "../tcp.ts";
import { askRevocably, connectionOptions, type EncryptedChannel } from "./channel.ts";
import { HttpsConnection, type HttpsEndpoint } from "./https-connection.ts";

/** Makes a channel; nothing is connected before the first query. */
export function createHttpsChannel(upstream: Upstream, tls: UpstreamTls, path: string): EncryptedChannel {
  const host = bracketed(upstream.address);
  const endpoint: HttpsEndpoint = { authority: tls.serverName ?? host, path };
  let current: HttpsConnection | undefined;
  let closed = false;

  const open = (): HttpsConnection => {
    const session = connect(`https://${host}:${upstream.port}`, {
      createConnection: () => connectTls(connectionOptions(upstream, tls, "h2")).setNoDelay(true),
      settings: { enablePush: false },
    });
    const connection = new HttpsConnection(session, endpoint, () => {
      if (current === connection) current = undefined;
    });
    return connection;
  };

  const send = (query: Uint8Array, asker: TcpAsker, again: boolean): (() => void) => {
    current ??= open();
    const connection = current;
    let giveUp = (): void => undefined;
    const sendAgain = (): void => {
      giveUp = send(query, asker, true);
    };
    const fail = (): void => {
      if (connection.isProven && !again && !closed && !connection.isUsable) contain(sendAgain, asker.fail);
      else asker.fail();
    };
    const posted = connection.post(query, { receive: asker.receive, fail });
    if (posted !== undefined) giveUp = posted;
    else {
      // The session has ended, and nobody has been told yet.
      current = undefined;
      setImmediate(contained(fail, asker.fail));
    }
    return () => giveUp();
  };

  return {
    ask(query, asker) {
      // An id of 0 lets caches on the way share answers (RFC 8484 4.1).
      writeWord(query, 0, 0);
      return askRevocably(asker, (revocable) => send(query, revocable, false));
    },
    close() {
      closed = true;
      current?.destroy();
    },
  };
}
