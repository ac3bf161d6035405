// SPDX-License-Identifier: Apache-2.0
// What each layer may include: docs/architecture.md as a table. An entry is a folder, or one header of a folder.

const upToEvents = ['base', 'oauth', 'databricks', 'net', 'vault', 'events'];
const upToServer = [...upToEvents, 'tokens', 'connect', 'proxy', 'server'];

export const arrows = {
  brickgate: ['base', 'brickgate'],
  base: ['base'],
  oauth: ['base', 'oauth'],
  databricks: ['base', 'oauth', 'databricks'],
  net: ['base', 'net'],  // it knows no domain word
  vault: ['base', 'net', 'vault', 'oauth/types.h', 'databricks/workspace.h'],
  events: ['base', 'net', 'vault', 'events'],
  tokens: [...upToEvents, 'tokens'],
  connect: [...upToEvents, 'connect'],
  proxy: [...upToEvents, 'tokens', 'proxy'],
  server: upToServer,
  sandbox: ['base', 'net', 'sandbox', 'oauth/types.h'],  // an independent judge
  app: [...upToServer, 'app', 'brickgate'],
  cli: [...upToServer, 'app', 'brickgate', 'sandbox', 'cli'],
};

// Code that is told everything it needs: tables can test it, fuzzers can drive it.
export const pure = /^src\/(base|oauth|databricks)\/|^src\/tokens\/refresh_(policy|machine)\.|^src\/proxy\/(target_rules|header_rules|rejection|retry_policy|rate_limiter|rate_bucket|route_families)\./;

export const foreign = [
  { header: /^sqlite3/, allowed: /^src\/vault\/sqlite/, why: 'SQLite is for vault/sqlite_*; everybody else talks to Store' },
  { header: /^curl\//, allowed: /^src\/(net\/curl_|cli\/admin\.cpp)/, why: 'libcurl is for net/curl_* and the command line\'s way to the local socket' },
  { header: /^boost\/beast/, allowed: /^src\/net\//, why: 'Beast is for net' },
  { header: /^boost\/asio/, allowed: /^src\/(?!base|oauth|databricks)/, why: 'base, oauth and databricks are pure: no Asio' },
  { header: /^prometheus\//, allowed: /^src\/net\/metrics\./, why: 'metrics are made through net/metrics.h' },
  { header: /^toml\+\+/, allowed: /^src\/app\/load_(config|rate_limits)\./, why: 'TOML is read in app/load_config and app/load_rate_limits' },
  { header: /^CLI\//, allowed: /^src\/cli\/(main|arguments|shim_arguments)\./, why: 'the command line is parsed in cli/main, cli/arguments and cli/shim_arguments' },
  { header: /^spdlog\//, allowed: /^src\/base\/log\.cpp$/, why: 'log through base/log.h, which takes no Secret' },
];
