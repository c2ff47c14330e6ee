import assert from "node:assert/strict";
import { test } from "node:test";
import { type Place, placeOf } from "../../../src/adapters/upstream/place-of.ts";

const hosts: Readonly<Record<Place, readonly string[]>> = {
  machine: [
    ...[
      "localhost",
      "LOCALHOST",
      "localhost.",
      "api.localhost",
      "localhost.localdomain",
      "127.0.0.1",
      "127.1",
      "127.9.9.9",
    ],
    ...["0x7f.1", "2130706433", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]"],
  ],
  network: [
    ...[
      "10.0.0.1",
      "10.255.255.255",
      "172.16.0.1",
      "172.31.255.255",
      "192.168.1.20",
      "169.254.1.1",
      "100.64.0.1",
    ],
    ...["[fc00::1]", "[fd12:3456::1]", "[fe80::1]", "[::ffff:192.168.1.20]"],
    ...[
      "studio.local",
      "Studio.LOCAL.",
      "gpu.lan",
      "nas.home.arpa",
      "host.docker.internal",
      "host.containers.internal",
    ],
    ...["ip-10-0-0-1.ec2.internal", "ollama", "gpu-box"],
  ],
  internet: [
    ...[
      "api.openai.com",
      "example.com",
      "8.8.8.8",
      "172.15.255.255",
      "172.32.0.1",
      "192.167.1.1",
      "100.128.0.1",
      "11.0.0.1",
    ],
    ...[
      "[2001:db8::1]",
      "[fec0::1]",
      "local.example.com",
      "localhost.example.com",
      "internal.example",
      "127.0.0.1.example",
    ],
  ],
};

for (const [place, names] of Object.entries(hosts))
  for (const name of names)
    test(`${name} is in the place ${place}`, () =>
      assert.equal(placeOf(new URL(`http://${name}:1234/v1`)), place));
