// The presets that come with Dockerwall. Each entry says where it is documented that a client needs it; names that a
// service merely happens to use are left out. Only names that one party controls: no shared hosting, no whole cloud.

import { type Presets, parsePresetEntries } from "./preset.ts";

/** Raised with every change of an entry below; the changelog lists the changes. */
export const presetsVersion = "2026-11-25";

interface PresetSource {
  readonly summary: string;
  /** Entries, and where each is documented. */
  readonly entries: Readonly<Record<string, string>>;
}

export const builtInPresets: Readonly<Record<string, PresetSource>> = {
  debian: {
    summary: "Debian's packages by apt",
    entries: {
      "deb.debian.org:80/tcp": "https://www.debian.org/mirror/list",
      "deb.debian.org:443/tcp": "https://deb.debian.org/",
      "security.debian.org:80/tcp": "https://www.debian.org/security/",
      "security.debian.org:443/tcp": "https://www.debian.org/security/",
      "_http._tcp.deb.debian.org": "apt-transport-http(1): apt asks for its SRV record first",
      "_https._tcp.deb.debian.org": "apt-transport-https(1)",
      "_http._tcp.security.debian.org": "apt-transport-http(1)",
      "_https._tcp.security.debian.org": "apt-transport-https(1)",
      "debian.map.fastlydns.net:80/tcp": "target of that SRV record",
      "debian.map.fastlydns.net:443/tcp": "target of that SRV record",
    },
  },
  ubuntu: {
    summary: "Ubuntu's packages by apt",
    entries: {
      "archive.ubuntu.com:80/tcp": "https://ubuntu.com/server/docs/about-apt-package-sources",
      "archive.ubuntu.com:443/tcp": "https://ubuntu.com/server/docs/about-apt-package-sources",
      "security.ubuntu.com:80/tcp": "https://ubuntu.com/server/docs/about-apt-package-sources",
      "security.ubuntu.com:443/tcp": "https://ubuntu.com/server/docs/about-apt-package-sources",
      "ports.ubuntu.com:80/tcp": "https://wiki.ubuntu.com/ARM",
      "ports.ubuntu.com:443/tcp": "https://wiki.ubuntu.com/ARM",
      "*.archive.ubuntu.com:80/tcp": "https://launchpad.net/ubuntu/+archivemirrors, the country mirrors",
    },
  },
  alpine: {
    summary: "Alpine's packages by apk",
    entries: {
      "dl-cdn.alpinelinux.org:80/tcp": "https://wiki.alpinelinux.org/wiki/Repositories",
      "dl-cdn.alpinelinux.org:443/tcp": "https://wiki.alpinelinux.org/wiki/Repositories",
    },
  },
  fedora: {
    summary: "Fedora's packages by dnf, from the project's own servers",
    entries: {
      "mirrors.fedoraproject.org:443/tcp":
        "https://docs.fedoraproject.org/en-US/quick-docs/fedora-repositories/",
      "dl.fedoraproject.org:443/tcp": "https://docs.fedoraproject.org/en-US/quick-docs/fedora-repositories/",
      "download.fedoraproject.org:443/tcp":
        "https://docs.fedoraproject.org/en-US/quick-docs/fedora-repositories/",
      "codecs.fedoraproject.org:443/tcp": "https://docs.fedoraproject.org/en-US/quick-docs/openh264/",
    },
  },
  npm: {
    summary: "the npm registry",
    entries: { "registry.npmjs.org:443/tcp": "https://docs.npmjs.com/cli/using-npm/registry" },
  },
  yarn: {
    summary: "Yarn's registry name, an alias of npm's",
    entries: { "registry.yarnpkg.com:443/tcp": "https://classic.yarnpkg.com/en/docs/cli/config" },
  },
  pypi: {
    summary: "Python's package index",
    entries: {
      "pypi.org:443/tcp": "https://packaging.python.org/en/latest/specifications/simple-repository-api/",
      "files.pythonhosted.org:443/tcp": "https://docs.pypi.org/api/",
    },
  },
  crates: {
    summary: "Rust's crates by cargo",
    entries: {
      "index.crates.io:443/tcp": "https://doc.rust-lang.org/cargo/reference/registries.html",
      "static.crates.io:443/tcp": "https://doc.rust-lang.org/cargo/reference/registry-index.html",
      "crates.io:443/tcp": "https://doc.rust-lang.org/cargo/reference/registry-web-api.html",
    },
  },
  rubygems: {
    summary: "Ruby's gems",
    entries: {
      "rubygems.org:443/tcp": "https://guides.rubygems.org/rubygems-org-api/",
      "index.rubygems.org:443/tcp": "https://guides.rubygems.org/rubygems-org-compact-index-api/",
    },
  },
  golang: {
    summary: "Go's module proxy and checksum database",
    entries: {
      "proxy.golang.org:443/tcp": "https://go.dev/ref/mod#module-proxy",
      "sum.golang.org:443/tcp": "https://go.dev/ref/mod#checksum-database",
    },
  },
  maven: {
    summary: "Maven Central",
    entries: {
      "repo.maven.apache.org:443/tcp":
        "https://maven.apache.org/guides/introduction/introduction-to-repositories.html",
      "repo1.maven.org:443/tcp": "https://central.sonatype.org/consume/",
    },
  },
  packagist: {
    summary: "PHP's packages by Composer; most archives come from @github",
    entries: {
      "packagist.org:443/tcp": "https://packagist.org/apidoc",
      "repo.packagist.org:443/tcp": "https://packagist.org/apidoc",
    },
  },
  github: {
    summary: "GitHub: git over https and ssh, API, releases, archives, raw files",
    entries: {
      "github.com:443/tcp":
        "https://docs.github.com/en/get-started/using-github/troubleshooting-connectivity-problems",
      "github.com:22/tcp": "https://docs.github.com/en/authentication/connecting-to-github-with-ssh",
      "ssh.github.com:443/tcp":
        "https://docs.github.com/en/authentication/troubleshooting-ssh/using-ssh-over-the-https-port",
      "api.github.com:443/tcp": "https://docs.github.com/en/rest",
      "uploads.github.com:443/tcp": "https://docs.github.com/en/rest/releases/assets",
      "codeload.github.com:443/tcp":
        "https://docs.github.com/en/repositories/working-with-files/using-files/downloading-source-code-archives",
      "raw.githubusercontent.com:443/tcp":
        "https://docs.github.com/en/get-started/using-github/troubleshooting-connectivity-problems",
      "objects.githubusercontent.com:443/tcp":
        "https://docs.github.com/en/get-started/using-github/troubleshooting-connectivity-problems",
      "release-assets.githubusercontent.com:443/tcp": "https://api.github.com/meta, domains",
      "github-cloud.s3.amazonaws.com:443/tcp": "https://api.github.com/meta, domains: Git LFS",
    },
  },
  ghcr: {
    summary: "GitHub's container registry",
    entries: {
      "ghcr.io:443/tcp":
        "https://docs.github.com/en/packages/working-with-a-github-packages-registry/working-with-the-container-registry",
      "pkg-containers.githubusercontent.com:443/tcp": "https://api.github.com/meta, domains",
    },
  },
  gitlab: {
    summary: "gitlab.com: git over https and ssh, API, container registry",
    entries: {
      "gitlab.com:443/tcp": "https://docs.gitlab.com/user/gitlab_com/",
      "gitlab.com:22/tcp": "https://docs.gitlab.com/user/gitlab_com/#ssh-host-keys-fingerprints",
      "altssh.gitlab.com:443/tcp": "https://docs.gitlab.com/user/gitlab_com/",
      "registry.gitlab.com:443/tcp": "https://docs.gitlab.com/user/gitlab_com/",
    },
  },
  "docker-hub": {
    summary: "images of Docker Hub",
    entries: {
      "registry-1.docker.io:443/tcp": "https://docs.docker.com/desktop/setup/allow-list/",
      "auth.docker.io:443/tcp": "https://docs.docker.com/desktop/setup/allow-list/",
      "hub.docker.com:443/tcp": "https://docs.docker.com/desktop/setup/allow-list/",
      "production.cloudflare.docker.com:443/tcp": "https://docs.docker.com/desktop/setup/allow-list/",
      "docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com:443/tcp":
        "https://docs.docker.com/desktop/setup/allow-list/",
    },
  },
  quay: {
    summary: "images of Quay",
    entries: {
      "quay.io:443/tcp": "https://docs.redhat.com/en/documentation/red_hat_quay",
      "*.quay.io:443/tcp": "https://access.redhat.com/articles/6999582, its CDN hosts",
    },
  },
  letsencrypt: {
    summary: "certificates by ACME, and their revocation lists",
    entries: {
      "acme-v02.api.letsencrypt.org:443/tcp": "https://letsencrypt.org/docs/acme-protocol-updates/",
      "acme-staging-v02.api.letsencrypt.org:443/tcp": "https://letsencrypt.org/docs/staging-environment/",
      "*.c.lencr.org:80/tcp": "https://letsencrypt.org/certificates/, revocation lists",
      "*.i.lencr.org:80/tcp": "https://letsencrypt.org/certificates/, issuers' certificates",
    },
  },
  anthropic: {
    summary: "Anthropic's API",
    entries: { "api.anthropic.com:443/tcp": "https://docs.anthropic.com/en/api/overview" },
  },
  openai: {
    summary: "OpenAI's API",
    entries: { "api.openai.com:443/tcp": "https://platform.openai.com/docs/api-reference" },
  },
  gemini: {
    summary: "Google's Gemini API",
    entries: { "generativelanguage.googleapis.com:443/tcp": "https://ai.google.dev/api" },
  },
  mistral: {
    summary: "Mistral's API",
    entries: { "api.mistral.ai:443/tcp": "https://docs.mistral.ai/api/" },
  },
  huggingface: {
    summary: "models and data sets of the Hugging Face Hub",
    entries: {
      "huggingface.co:443/tcp": "https://huggingface.co/docs/hub/api",
      "*.hf.co:443/tcp": "https://huggingface.co/docs/hub/models-downloading, its CDN and storage hosts",
    },
  },
  ntp: {
    summary: "the time, from the NTP pool",
    entries: {
      "pool.ntp.org:123/udp": "https://www.ntppool.org/en/use.html",
      "*.pool.ntp.org:123/udp": "https://www.ntppool.org/en/use.html, the zones of vendors and countries",
    },
  },
};

/** The built-in presets as entries. */
export function loadBuiltInPresets(): Presets {
  return new Map(
    Object.entries(builtInPresets).map(([name, { entries }]) => {
      const parsed = parsePresetEntries(name, Object.keys(entries));
      if ("problems" in parsed) throw new Error(parsed.problems.join("\n"));
      return [name, parsed.entries] as const;
    }),
  );
}
