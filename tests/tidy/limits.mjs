// SPDX-License-Identifier: Apache-2.0
// The lists behind the rules: what is banned and what to write instead, who may read secrets, and what is longer than
// it should be. The last three may only shrink.

export const banned = [
  {
    pattern: /\b\w+_clock::now\s*\(/g, allowed: /^src\/(net\/|app\/|cli\/admin\.cpp)/, instead: 'take the time as an argument, or from Clock',
    trips: 'auto t = std::chrono::system_clock::now();', passes: 'auto t = clock_.now();',
  },
  {
    pattern: /\bs?rand\s*\(|\brandom\s*\(\s*\)|\bstd::(?:mt19937|random_device)/g, allowed: /^$/, instead: 'use Random', unless: /[.>]\s*$/,
    trips: 'int x = rand();', passes: 'auto x = parts_.random();',
  },
  {
    pattern: /\bgetenv\s*\(/g, allowed: /^src\/(app\/|base\/failpoint\.cpp|cli\/(?:demo|login)\.cpp)/, instead: 'settings come through app/load_config; only demo and login look at the terminal\'s surroundings',
    trips: 'if (getenv("HOME")) {}', passes: '// not getenv("HOME")',
  },
  {
    pattern: /\bstd::c(?:out|err|log)\b|\bf?(?:printf|puts)\s*\(/g, allowed: /^src\/cli\//, instead: 'log, or return what is to be said',
    trips: 'std::cout << 1;', passes: 'snprintf(buffer, 3, "x");',
  },
  {
    pattern: /\b(?:asio::)?detached\b/g, allowed: /^src\/net\/(?:runtime|task_group)\./, instead: 'spawn work in the runtime\'s task group, which shutdown waits for',
    trips: 'co_spawn(ex, f(), boost::asio::detached);', passes: 'bool detached_head = true;',
  },
  {
    pattern: /\bnew\b/g, allowed: /^$/, instead: 'std::make_unique, or a unique_ptr in the same statement where the constructor is private', unless: /(?:unique|shared)_ptr<[^;]*\($/,
    trips: 'auto* x = new Thing(1);', passes: 'return std::unique_ptr<Thing>(new Thing(1));',
  },
  {
    pattern: /\bdelete\b(?!\s*;)/g, allowed: /^$/, instead: 'let an owner do it',
    trips: 'delete x;', passes: 'Thing(Thing const&) = delete;',
  },
  {
    pattern: /\b(?:u|nano)?sleep\s*\(|\bthis_thread::sleep_\w+/g, allowed: /^src\/cli\//, instead: 'co_await Timers::sleep_for, which tests can wind forward', unless: /[.>]\s*$/,
    trips: 'std::this_thread::sleep_for(1s);', passes: 'co_await timers.sleep_for(1s);',
  },
  {
    pattern: /\b(?:malloc|calloc|realloc|alloca|strcpy|strcat|sprintf|gets|strtok|system|popen|mktemp|tmpnam|atoi|setenv|putenv)\s*\(/g, allowed: /^$/, instead: 'there is a safe way to do this in base or the standard library', unless: /[.>:]\s*$/,
    trips: 'system("x");', passes: 'host.system(1);',
  },
];

// Files that may look inside a Secret, and what for.
export const exposers = [
  'src/app/gateway.cpp',            // the demo's own API key
  'src/app/root_source.cpp',        // the root key
  'src/oauth/types.h',              // the token types' own door
  'src/oauth/authorization.h',      // ValidatedCode's own door
  'src/oauth/client_auth.cpp',      // the client secret into a request
  'src/oauth/metadata.cpp',         // answers are secrets until they are read
  'src/oauth/oauth_error.cpp',
  'src/oauth/principal_credential.cpp',  // a service principal's secrets, packed for the vault
  'src/oauth/pkce.cpp',             // the verifier's hash
  'src/oauth/token_endpoint.cpp',   // codes and tokens into a request, tokens out of an answer
  'src/databricks/endpoints.cpp',
  'src/net/curl_transfer.cpp',      // bodies and headers onto the wire
  'src/connect/authorize_probe.cpp',
  'src/proxy/proxy_call.cpp',       // a fresh token onto the wire
  'src/connect/discovery.cpp',
  'src/connect/login.cpp',          // the browser's cookie, hashed
  'src/connect/login_complete.cpp',
  'src/connect/login_context.cpp',  // the spooled login
  'src/connect/principal.cpp',      // who a token speaks for
  'src/tokens/refresh_drive.cpp',
  'src/tokens/token_cache.cpp',     // sealing, opening
  'src/vault/api_keys.cpp',
  'src/vault/capabilities.cpp',
  'src/vault/key_arena.cpp',
  'src/vault/backup.cpp',           // the root key, where it is asked for
  'src/vault/data_key.cpp',
  'src/vault/passphrase_root.cpp',
  'src/vault/record.cpp',
  'src/vault/root_key.cpp',
  'src/vault/spooled_answer.cpp',
  'src/vault/vault.cpp',
  'src/server/api.cpp',             // where a caller is given its token
  'src/server/api_admin.cpp',       // a new key, shown once; the terminal's cookie
  'src/server/capabilities_api.cpp', // likewise a new capability
  'src/server/metadata_service.cpp', // where an SDK is given its token
  'src/server/cookies.cpp',
  'src/server/token_watch_routes.cpp',  // where a caller is given its next token
];

// Longer than 400 lines (600 in tests) for now: path -> lines.
export const longFiles = {
};

// Longer than 70 lines for now: 'path name' -> lines.
export const longFunctions = {
};
