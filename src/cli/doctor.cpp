// SPDX-License-Identifier: Apache-2.0
// Looks at everything that can be wrong before or while a gateway runs, and says what to do about
// it. Changes nothing.
#include "cli/doctor.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "app/from_config.h"
#include "app/root_source.h"
#include "app/validate_config.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "connect/discovery.h"
#include "net/curl_client.h"
#include "net/runtime.h"
#include "net/system_ports.h"
#include "net/task_group.h"
#include "oauth/oauth_error.h"

namespace brickgate::cli {

namespace {

constexpr Seconds skew_good{10};  // an id_token's times are believed this far
constexpr Seconds half_a_day = std::chrono::hours(12);

Finding check_data_folder(Config const& config) {
    std::string const& path = config.data.dir;
    struct stat about{};
    if (stat(path.c_str(), &about) != 0) {
        return good("data_folder", "Data folder " + path + " will be made at the first start.");
    }
    if (!S_ISDIR(about.st_mode)) {
        return bad("data_folder", path + " is not a folder.", "Choose another with --data.");
    }
    if (about.st_uid != geteuid()) {
        return bad("data_folder", "Data folder " + path + " belongs to another user.",
                   "Run as that user, or choose another folder with --data.");
    }
    if ((about.st_mode & 0077) != 0) {
        return bad("data_folder", "Data folder " + path + " is open to others.",
                   "chmod 700 " + path);
    }
    return good("data_folder", "Data folder " + path + " is private.");
}

Finding check_passphrase(std::string const& file) {
    struct stat about{};
    if (file == "tty") {
        return good("root_key",
                    "The root key's passphrase is asked on the terminal at each start.");
    }
    if (stat(file.c_str(), &about) != 0) {
        return bad("root_key", "The passphrase's file " + file + " is not there.",
                   "Put it there (mode 0400), or set data.root_key_passphrase_file to tty.");
    }
    if ((about.st_mode & 0077) != 0) {
        return bad("root_key", "The passphrase's file " + file + " can be read by others.",
                   "chmod 400 " + file);
    }
    return good("root_key", "The root key is derived from the passphrase in " + file + ".");
}

Finding check_root_key(Config const& config) {
    if (!config.data.root_key.empty()) {
        return warn("root_key", "The root key is given as a value.",
                    "A file with mode 0400 (data.root_key_file) is better.");
    }
    if (!config.data.root_key_credential.empty()) {
        return good("root_key", "The root key is the systemd credential " +
                                    config.data.root_key_credential + ".");
    }
    if (!config.data.root_key_command.empty()) {
        return good("root_key", "The root key comes from the command " +
                                    config.data.root_key_command.front() +
                                    ", which was not run now.");
    }
    if (!config.data.root_key_passphrase_file.empty()) {
        return check_passphrase(config.data.root_key_passphrase_file);
    }
    std::string const path = root_key_file_of(config, config.data.dir).string();
    std::string const database = config.data.dir + "/brickgate.db";
    struct stat about{};
    if (stat(path.c_str(), &about) != 0) {
        return access(database.c_str(), F_OK) == 0
                   ? bad("root_key", "There is a database, but its root key " + path + " is gone.",
                         "Put it back from its copy; without it the tokens cannot be opened.")
                   : good("root_key", "Root key " + path + " will be made at the first start.");
    }
    if ((about.st_mode & 0077) != 0) {
        return bad("root_key", "Root key " + path + " can be read by others.", "chmod 400 " + path);
    }
    return good("root_key",
                "Root key " + path + " is private. Keep a copy, apart from other backups.");
}

Finding check_client(Config const& config) {
    if (config.databricks.client_id.empty()) {
        return warn("client", "CLIENT_ID is not set: browsers cannot sign in.",
                    "Register an app in the account console (README, Your own app on a real "
                    "workspace), or use brickgate login HOST, which needs none.");
    }
    if (config.databricks.client_secret.empty()) {
        return good("client", "Public client " + config.databricks.client_id + " (no secret).");
    }
    return good("client", "Confidential client " + config.databricks.client_id + ".");
}

Finding check_redirect(Config const& config) {
    std::string const about = "Redirect URI " + config.databricks.redirect_uri;
    auto const port = redirect_port_mismatch(config);
    if (!port) {
        return good("redirect_uri",
                    about + " leads here; it must stand in the account console exactly so.");
    }
    std::string const what = about + " leads to port " + *port +
                             " of this machine, but the gateway listens on " +
                             config.server.listen + ".";
    if (!listens_on_loopback(config.server.listen)) {
        return warn("redirect_uri", what,
                    "Right only if something forwards that port, as a "
                    "container's runtime does.");
    }
    return bad("redirect_uri", what,
               "Nobody would come back from a sign-in. Let both name one port: --listen "
               "127.0.0.1:" +
                   *port + ", or another REDIRECT_URI, here and in the account console.");
}

Finding check_workspaces(Config const& config) {
    if (!serves_no_workspace(config)) {
        return good("workspaces", "Workspaces to sign in to are named.");
    }
    if (config.databricks.client_id.empty()) {
        return good("workspaces", "No workspace is named, and no app that could sign in to it.");
    }
    return bad("workspaces", "Neither DATABRICKS_HOST nor databricks.hosts is set.",
               "Nobody can sign in anywhere: name the workspaces that this app is for.");
}

Finding check_port(Config const& config, bool running) {
    int const port = port_number(config.server.listen);
    if (running) {
        return good("port", "A gateway is running on this data folder.");
    }
    if (port == 0 || port_is_free(port)) {
        return good("port", config.server.listen + " is free.");
    }
    return bad("port", "Another program listens on port " + std::to_string(port) + ".",
               "Stop it, or choose another port with --listen; then the redirect URI must change "
               "with it, here (REDIRECT_URI) and in the account console.");
}

Finding check_clock(std::optional<std::string_view> date, Time now) {
    // Half a day is added before and taken off after, since waits are never negative.
    auto const wait = date ? parse_retry_after(*date, now - half_a_day) : std::nullopt;
    if (!wait) {
        return warn("clock", "The workspace sent no time to compare the clock with.",
                    "Check that the time is synchronised (NTP).");
    }
    auto const ahead = half_a_day - *wait;
    if (ahead > skew_good || ahead < -skew_good) {
        return bad("clock",
                   "This machine's clock is " + std::to_string(std::abs(ahead.count())) + " s " +
                       (ahead > Seconds(0) ? "ahead of" : "behind") + " the workspace's.",
                   "Synchronise the time (NTP): tokens are judged by it.");
    }
    return good("clock", "The clock agrees with the workspace's.");
}

struct Outside {
    std::shared_ptr<Registration const> registration;
    CurlClient& http;
    SystemClock& clock;
    SystemRandom& random;
    std::vector<Finding>& findings;
    Runtime& runtime;
};

// Discovery and keys of one workspace, and whether it knows the app. Whether it was found.
Task<bool> look_at(Outside& outside, Discovery& discovery, WorkspaceHost const& workspace) {
    auto const& registration = outside.registration;
    auto const metadata = co_await discovery.metadata(registration, workspace);
    if (!metadata) {
        bool const usual = metadata.error().code() == ErrorCode::discovery_failed;
        outside.findings.push_back(bad(
            "discovery", "Discovery at " + workspace.origin() + ": " + metadata.error().message(),
            usual ? "Check the host, its name and the way to it."
                  : std::string(metadata.error().hint())));
        co_return false;
    }
    outside.findings.push_back(
        good("discovery", "Discovery: sign-in at " + (*metadata)->authorization_endpoint +
                              ", tokens at " + (*metadata)->token_endpoint + "."));
    if (!(*metadata)->jwks_uri.empty()) {
        auto const keys = co_await discovery.keys(registration, (*metadata)->jwks_uri, "");
        outside.findings.push_back(
            keys ? good("signing_keys",
                        "Signing keys: " + std::to_string((*keys)->size()) + " usable.")
                 : bad("signing_keys",
                       "Signing keys of " + workspace.origin() + ": " + keys.error().message(),
                       std::string(keys.error().hint())));
    }
    if (!registration->client.client_id.value().empty()) {
        auto const probe =
            co_await probe_authorize(outside.http, outside.random, registration, *metadata);
        outside.findings.push_back(judged(probe, *registration, workspace));
        bool const known = probe.verdict == ProbeVerdict::accepted;
        if (known && !registration->client.client_secret.empty()) {
            auto const verdict = co_await probe_secret(outside.http, outside.random, outside.clock,
                                                       registration, *metadata);
            outside.findings.push_back(judged(verdict, workspace));
        }
    }
    co_return true;
}

// The clock against the workspace's Date header.
Task<void> compare_clock(Outside& outside, WorkspaceHost const& workspace) {
    HttpRequest request;
    request.url = workspace.origin() + "/.well-known/databricks-config";
    HttpLimits limits;
    limits.egress.operator_listed = workspace.kind() == HostKind::operator_listed;
    limits.egress.allowed_networks = outside.registration->allowed_networks;
    auto const answer = co_await outside.http.send(std::move(request), std::move(limits));
    outside.findings.push_back(
        check_clock(answer ? answer->headers.get("Date") : std::nullopt, outside.clock.now()));
}

// What needs the network: every workspace that is listed by name, and the clock.
Task<void> look_outside(Outside& outside) {
    auto const& hosts = outside.registration->hosts;
    Discovery discovery(outside.http, outside.clock);
    std::optional<WorkspaceHost> answered;
    for (auto const& origin : hosts.exact_origins()) {
        auto const workspace = hosts.admit(origin);
        bool const found = workspace && co_await look_at(outside, discovery, *workspace);
        if (found && !answered) {
            answered = *workspace;
        }
    }
    if (answered) {
        co_await compare_clock(outside, *answered);
    }
}

Task<void> look_and_stop(Outside& outside) {
    co_await look_outside(outside);
    outside.runtime.request_stop();
}

Result<void> check_outside(Config const& config, std::vector<Finding>& findings) {
    auto registration = make_registration(config);
    if (!registration->fixed_workspace) {
        findings.push_back(warn("discovery",
                                "DATABRICKS_HOST is not set; people are asked for their workspace.",
                                "Set it if there is only one."));
    }
    if (registration->hosts.exact_origins().empty()) {
        return {};
    }
    SystemClock clock;
    Runtime runtime(RuntimeOptions{.http_threads = 1, .handle_signals = false});
    CurlOptions curl;
    curl.ca_file = config.tls.ca_file;
    curl.proxy = config.tls.proxy;
    auto http = CurlClient::create(std::move(curl), clock);
    if (!http) {
        return fail(http.error());
    }
    SystemRandom random;
    Outside outside{std::move(registration), **http, clock, random, findings, runtime};
    spawn(runtime.control(), look_and_stop(outside));
    runtime.run();
    return {};
}

// Warnings of the start that have a check of their own here.
bool is_found_already(std::string_view warning) {
    return warning.starts_with("REDIRECT_URI ") || warning.starts_with("neither DATABRICKS_HOST");
}

int print(std::vector<Finding> const& findings, bool as_json) {
    bool const failed = std::ranges::any_of(
        findings, [](auto const& finding) { return finding.verdict == "fail"; });
    json::array list;
    for (auto const& finding : findings) {
        list.push_back({{"check", finding.check},
                        {"verdict", finding.verdict},
                        {"what", finding.what},
                        {"remedy", finding.remedy}});
        if (as_json) {
            continue;
        }
        std::cout << (finding.verdict == "ok"     ? "  ok    "
                      : finding.verdict == "warn" ? "  WARN  "
                                                  : "  FAIL  ")
                  << finding.what << '\n';
        if (!finding.remedy.empty()) {
            std::cout << "        " << as_typed(finding.remedy) << '\n';
        }
    }
    if (as_json) {
        json::object const out{{"ok", !failed}, {"findings", std::move(list)}};
        std::cout << json::serialize(out) << '\n';
    }
    return failed ? Exit::failed : Exit::ok;
}

}  // namespace

int run_doctor(Common const& common) {
    std::vector<Finding> findings;
    auto loaded = try_load(common);
    if (!loaded) {
        for (auto const& line : loaded.error()) {
            findings.push_back(bad("configuration", line, "See docs/configuration.md."));
        }
        print(findings, common.json);
        return Exit::bad_config;
    }
    set_up_log(LogLevel::error, LogFormat::automatic);
    auto const& config = loaded->config;
    findings = {good("configuration", "The configuration is valid."),
                check_data_folder(config),
                check_root_key(config),
                check_client(config),
                check_redirect(config),
                check_workspaces(config),
                check_port(config, daemon_runs(config))};
    for (auto const& warning : loaded->warnings) {
        if (!is_found_already(warning)) {
            findings.push_back(warn("configuration", warning, ""));
        }
    }
    if (auto const looked = check_outside(config, findings); !looked) {
        findings.push_back(
            bad("network", looked.error().message(), std::string(looked.error().hint())));
    }
    for (auto& finding : ask_gateway(std::move(*loaded))) {
        findings.push_back(std::move(finding));
    }
    return print(findings, common.json);
}

}  // namespace brickgate::cli
