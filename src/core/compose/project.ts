// What of a Compose project decides who may reach what: its networks and services, with their labels.

import type { HostSettings } from "../classify/hazards.ts";
import { didYouMean } from "../model/did-you-mean.ts";
import {
  emptyMap,
  type Finding,
  itemsAt,
  listAt,
  type MapTree,
  type Place,
  type TextTree,
  type Tree,
  textAt,
  treeAt,
} from "./tree.ts";

export interface WrittenLabel {
  readonly name: string;
  readonly place: Place;
  /** The value, empty where there is none. */
  readonly value: string;
  /** As it is written; undefined where there is no value. */
  readonly written: TextTree | undefined;
}

export interface ComposeNetwork {
  /** Its name within the project. */
  readonly key: string;
  readonly place: Place;
  /** Made elsewhere: what labels it has is not known here. */
  readonly external: boolean;
  readonly driver: string;
  readonly internal: boolean;
  /** Whether it has addresses of these families; without a word it has IPv4, and no IPv6. */
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  /** What the engine calls it, where that is written; otherwise Compose puts the project's name before its key. */
  readonly name: string | undefined;
  readonly labels: readonly WrittenLabel[];
}

/** A name that a service has in its own /etc/hosts. */
export interface ExtraHost {
  readonly name: string;
  /** As it is written; `host-gateway` is the host. */
  readonly address: string;
}

export interface ComposeService {
  readonly name: string;
  readonly place: Place;
  readonly labels: readonly WrittenLabel[];
  /** Keys of the networks that it joins. */
  readonly networks: readonly string[];
  /** `gw_priority` by such a key, where one is given. */
  readonly priorities: ReadonlyMap<string, number>;
  /** `host`, `none`, `service:NAME` and so on; undefined for its networks. */
  readonly networkMode: string | undefined;
  /** It is started with one of these only; always where there are none. */
  readonly profiles: readonly string[];
  /** Addresses that it has by its own wish, and those of the resolvers that it would ask. */
  readonly addresses: readonly string[];
  readonly dns: readonly TextTree[];
  readonly extraHosts: readonly ExtraHost[];
  /** Empty where it is built and not named. */
  readonly image: string;
  readonly host: HostSettings;
}

export interface Project {
  readonly networks: readonly ComposeNetwork[];
  readonly services: readonly ComposeService[];
  /** What Compose would refuse, and what cannot be followed. */
  readonly problems: readonly Finding[];
}

/** Reads a loaded tree. */
export function readProject(tree: MapTree): Project {
  const problems: Finding[] = [];
  const networks = [...itemsAt(tree, "networks")].map(([key, { key: place, value }]) =>
    readNetwork(key, place, value, problems),
  );
  const services = [...itemsAt(tree, "services")].map(([name, { key: place, value }]) =>
    readService(name, place, value, problems),
  );
  const user = services.find((service) => service.networks.includes("default"));
  // Compose makes it for services that name no network.
  if (user !== undefined && !networks.some(({ key }) => key === "default"))
    networks.push(readNetwork("default", user.place, emptyMap(user.place), problems));
  const keys = networks.map(({ key }) => key);
  for (const { name, place, networks: joined } of services)
    for (const key of joined) {
      if (keys.includes(key)) continue;
      const text = `service ${JSON.stringify(name)} is on network ${JSON.stringify(key)}, which nothing defines${didYouMean(key, keys)}`;
      problems.push({ place, text });
    }
  const names = services.map(({ name }) => name);
  for (const { name, place, networkMode } of services) {
    const other = /^service:(.*)$/.exec(networkMode ?? "")?.[1];
    if (other === undefined || names.includes(other)) continue;
    const text = `service ${JSON.stringify(name)} is on the network of service ${JSON.stringify(other)}, which nothing defines${didYouMean(other, names)}`;
    problems.push({ place, text });
  }
  return { networks, services, problems };
}

function readNetwork(key: string, place: Place, value: Tree, problems: Finding[]): ComposeNetwork {
  const external = treeAt(value, "external");
  const labels = readLabelsAt(value, `network ${JSON.stringify(key)}`, problems);
  return {
    key,
    place,
    external: external !== undefined && !(external.kind === "text" && external.text === "false"),
    driver: textAt(value, "driver")?.text || "bridge",
    internal: textAt(value, "internal")?.text === "true",
    ipv4: textAt(value, "enable_ipv4")?.text !== "false",
    ipv6: textAt(value, "enable_ipv6")?.text === "true",
    name: textAt(value, "name")?.text,
    labels,
  };
}

function readService(name: string, place: Place, value: Tree, problems: Finding[]): ComposeService {
  const subject = `service ${JSON.stringify(name)}`;
  const mode = textAt(value, "network_mode");
  const joined = [...itemsAt(value, "networks").keys()];
  const priorities = joined.flatMap((key): [string, number][] => {
    const written = textAt(value, "networks", key, "gw_priority");
    return written === undefined ? [] : [[key, Number(written.text) || 0]];
  });
  if (mode?.problem !== undefined) problems.push({ place: mode.place, text: `${subject}: ${mode.problem}` });
  if (mode !== undefined && joined.length > 0) {
    const text = `${subject} has networks and a network_mode; Compose takes one of the two`;
    problems.push({ place: mode.place, text });
  }
  for (const path of listAt(value, "label_file"))
    problems.push({
      place: path.place,
      text: `${subject}: label_file is not followed; write the labels out`,
    });
  const isDefault = mode === undefined && joined.length === 0;
  return {
    name,
    place,
    labels: readLabelsAt(value, subject, problems),
    networks: isDefault ? ["default"] : mode === undefined ? joined : [],
    priorities: new Map(priorities),
    networkMode: mode?.text,
    profiles: textsAt(value, "profiles"),
    addresses: joined.flatMap((key) =>
      ["ipv4_address", "ipv6_address"].flatMap((each) => textAt(value, "networks", key, each)?.text ?? []),
    ),
    dns: listAt(value, "dns").flatMap((item) => (item.kind === "text" ? [item] : [])),
    extraHosts: extraHostsAt(value),
    image: textAt(value, "image")?.text ?? "",
    host: {
      privileged: textAt(value, "privileged")?.text === "true",
      networkMode: mode?.text ?? "",
      pidMode: textAt(value, "pid")?.text ?? "",
      capAdd: textsAt(value, "cap_add"),
      mounts: sourcesAt(value, "volumes"),
      devices: sourcesAt(value, "devices"),
      environment: pairsAt(value, "environment"),
    },
  };
}

/** Labels that Compose would give; what is not text or cannot be filled in is a problem. */
function readLabelsAt(tree: Tree, subject: string, problems: Finding[]): WrittenLabel[] {
  const labels = treeAt(tree, "labels");
  if (labels !== undefined && labels.kind !== "map")
    problems.push({ place: labels.place, text: `${subject}: labels must be a map or a list of NAME=VALUE` });
  return [...itemsAt(tree, "labels")].flatMap(([name, { key: place, value }]): WrittenLabel[] => {
    if (value.kind === "nothing") return [{ name, place, value: "", written: undefined }];
    if (value.kind === "text" && value.problem === undefined)
      return [{ name, place, value: value.text, written: value }];
    const problem = value.kind === "text" ? value.problem : `its value must be text, not a ${value.kind}`;
    problems.push({ place, text: `${subject}, label ${name}: ${problem}` });
    return [];
  });
}

function textsAt(tree: Tree, name: string): string[] {
  return listAt(tree, name).flatMap((item) => (item.kind === "text" ? [item.text] : []));
}

/** `NAME:ADDRESS`, `NAME=ADDRESS`, or a map of one or more addresses. */
function extraHostsAt(tree: Tree): ExtraHost[] {
  const listed = textsAt(tree, "extra_hosts").flatMap((text): ExtraHost[] => {
    const [, name, address] = /^([^:=]+)[:=](.+)$/.exec(text) ?? [];
    return name === undefined || address === undefined ? [] : [{ name, address }];
  });
  const mapped = [...itemsAt(tree, "extra_hosts").keys()].flatMap((name) =>
    textsAt(treeAt(tree, "extra_hosts") ?? tree, name).map((address): ExtraHost => ({ name, address })),
  );
  return [...listed, ...mapped];
}

/** The texts of a map, as NAME=VALUE. */
function pairsAt(tree: Tree, name: string): string[] {
  return [...itemsAt(tree, name)].flatMap(([key, { value }]) =>
    value.kind === "text" ? [`${key}=${value.text}`] : [],
  );
}

/** What of the host is given, in the short form `SOURCE:TARGET` or the long one. */
function sourcesAt(tree: Tree, name: string): string[] {
  return listAt(tree, name).flatMap((item) => {
    if (item.kind === "text") return [item.text.split(":")[0] ?? ""];
    return textAt(item, "source")?.text ?? [];
  });
}
