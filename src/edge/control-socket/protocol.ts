// What both ends of the control socket agree on.

/** The path of a method is this and its name. Every request is a POST. */
export const methodRoot = "/v1/";

/**
 * The header by which a client says until when it waits, milliseconds of the host's monotonic clock, which is the same in
 * every container. What is begun later is done behind its back: it has said by then that there was no answer.
 */
export const untilHeader = "dockerwall-until";
