// What Docker's own resolver is asked beside us, on each engine.

import type { NameQuestion } from "./stage.ts";

const bothFamilies = (...names: readonly string[]): NameQuestion[] =>
  names.flatMap((name) => [
    { name, type: "A" },
    { name, type: "AAAA" },
  ]);

const reverse = (container: string, on: "a" | "b", family: 4 | 6): NameQuestion => ({
  name: "",
  type: "PTR",
  addressOf: { container, on, family },
});

const by = (asker: NonNullable<NameQuestion["asker"]>, questions: readonly NameQuestion[]): NameQuestion[] =>
  questions.map((question) => ({ ...question, asker }));

export const nameQuestions: readonly NameQuestion[] = [
  // Names, aliases, short ids; case; several replicas; two networks.
  ...bothFamilies("db", "DB", "store", "STORE", "data.store", "Data.Store", "web", "WEB", "web2"),
  ...bothFamilies("both", "shared", "back", "backend", "api.v1", "under_score", "myself"),
  ...bothFamilies("{id:db}", "{id:both}", "{id:back}"),
  // Hostnames.
  ...bothFamilies("bar", "BAR", "bar.{a}", "bar.{b}", "host1", "host2", "hosts", "mail.example.org", "mail"),
  ...bothFamilies("mail.example.org.{a}", "{id:host1}", "host3"),
  // With the network's name behind.
  ...bothFamilies("db.{a}", "store.{a}", "store.{b}", "web.{a}", "both.{a}", "both.{b}", "shared.{b}"),
  ...bothFamilies("api.v1.{a}", "{id:db}.{a}", "DB.{a}", "data.store.{a}", "back.{b}", "back.{a}", "db.{b}"),
  // What is nobody's.
  ...bothFamilies("nobody", "nobody.{a}", "stopped", "gone", "gone.{a}", "{a}", "d", "db.nowhere"),
  ...bothFamilies("localhost"),
  // Other types.
  ...(["MX", "TXT", "SRV", "HTTPS"] as const).flatMap((type): NameQuestion[] => [
    { name: "db", type },
    { name: "db.{a}", type },
    { name: "nobody", type },
  ]),
  // Back from addresses.
  ...[reverse("db", "a", 4), reverse("web1", "a", 4), reverse("both", "a", 4), reverse("both", "b", 4)],
  ...[reverse("both", "b", 6), reverse("back", "b", 4), reverse("back", "b", 6), reverse("api.v1", "a", 4)],
  ...[reverse("host1", "a", 4), reverse("host1", "b", 6), reverse("host3", "a", 4)],
  { name: "254.255.19.198.in-addr.arpa", type: "PTR" },
  { name: "198.in-addr.arpa", type: "PTR" },
  { name: "db", type: "PTR" },
  // One who is on one network only.
  ...by("single", bothFamilies("db", "web", "both", "shared", "store", "db.{a}", "both.{a}", "both.{b}")),
  ...by("single", [reverse("db", "a", 4), reverse("back", "b", 4)]),
];

/** For one who was started with `--link db:database --link web1 --link both:two-words`. */
export const linkQuestions: readonly NameQuestion[] = by("linked", [
  ...bothFamilies("database", "db", "web1", "two-words", "database.{a}", "DATABASE", "web"),
]);
