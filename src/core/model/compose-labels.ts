// The labels by which Compose finds again what it has made.

/** On containers `project` and `service`, on networks `project` and `network`, which is the key in the Compose file. */
export const composeLabels = {
  project: "com.docker.compose.project",
  service: "com.docker.compose.service",
  network: "com.docker.compose.network",
} as const;
