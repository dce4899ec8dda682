// DNS over TLS to one upstream server (RFC 7858): one connection, kept while it is used. Queries that a connection leaves
// unanswered are asked again on the next one, once.

import { connect } from "node:tls";
import { contain } from "../../../core/contain.ts";
import type { Upstream, UpstreamTls } from "../../../core/model/upstream.ts";
import type { RandomBits } from "../random.ts";
import { askRevocably, connectionOptions, type EncryptedChannel } from "./channel.ts";
import { TlsConnection, type TlsQuery } from "./tls-connection.ts";

/** Makes a channel; nothing is connected before the first query. */
export function createTlsChannel(upstream: Upstream, tls: UpstreamTls, random: RandomBits): EncryptedChannel {
  let current: TlsConnection | undefined;
  let closed = false;

  const open = (): TlsConnection => {
    const connection = new TlsConnection(connect(connectionOptions(upstream, tls, "dot")), random, (left) => {
      if (current === connection) current = undefined;
      for (const query of left) contain(() => replace(connection, query), query.asker.fail);
    });
    return connection;
  };
  const send = (query: TlsQuery): (() => void) => {
    current ??= open();
    return current.send(query);
  };
  /** RFC 7766 6.2.4: the server may close at any time, and the query is then asked again. */
  const replace = (connection: TlsConnection, query: TlsQuery): void => {
    if (connection.isProven && !query.again && !closed) send({ ...query, again: true });
    else query.asker.fail();
  };

  return {
    ask: (message, asker) =>
      askRevocably(asker, (revocable) => send({ message, asker: revocable, again: false })),
    close() {
      closed = true;
      current?.destroy();
    },
  };
}
