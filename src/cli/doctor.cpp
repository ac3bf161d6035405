// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <filesystem>
#include <future>
#include <iostream>
#include <thread>

#include "app/from_config.h"
#include "app/gateway.h"
#include "app/settings_table.h"
#include "base/log.h"
#include "cli/command.h"
#include "connect/discovery.h"
#include "net/bridge.h"
#include "net/curl_client.h"
#include "net/system_ports.h"
#include "net/timers.h"
#include "oauth/oauth_error.h"

namespace brickgate::cli {

namespace {

struct Finding {
    std::string verdict;  // ok | warn | fail
    std::string what;
    std::string remedy;
};

Finding good(std::string what) {
    return {"ok", std::move(what), ""};
}
Finding warn(std::string what, std::string remedy) {
    return {"warn", std::move(what), std::move(remedy)};
}
Finding bad(std::string what, std::string remedy) {
    return {"fail", std::move(what), std::move(remedy)};
}

Finding check_data_folder(Config const& config) {
    std::string const& path = config.data.dir;
    struct stat about{};
    if (stat(path.c_str(), &about) != 0) {
        return good("Data folder " + path + " will be made at the first start.");
    }
    if ((about.st_mode & 0077) != 0) {
        return bad("Data folder " + path + " is open to others.", "chmod 700 " + path);
    }
    if (about.st_uid != geteuid()) {
        return bad("Data folder " + path + " belongs to another user.",
                   "Run as that user, or choose another folder with --data.");
    }
    return good("Data folder " + path + " is private.");
}

Finding check_root_key(Config const& config) {
    if (!config.data.root_key.empty()) {
        return warn("The root key comes from the environment.",
                    "A file with mode 0400 (data.root_key_file) is better.");
    }
    std::string const path = config.data.root_key_file.empty() ? config.data.dir + "/root.key"
                                                               : config.data.root_key_file;
    struct stat about{};
    if (stat(path.c_str(), &about) != 0) {
        return good("Root key " + path + " will be made at the first start.");
    }
    if ((about.st_mode & 0077) != 0) {
        return bad("Root key " + path + " can be read by others.", "chmod 400 " + path);
    }
    return good("Root key " + path + " is private. Keep a copy apart from other backups.");
}

Finding check_client(Config const& config) {
    if (config.databricks.client_id.empty()) {
        return bad("CLIENT_ID is not set.",
                   "Register an app in the account console (README, A real workspace), or use "
                   "brickgate login HOST.");
    }
    if (config.databricks.client_secret.empty()) {
        return good("Public client " + config.databricks.client_id + " (no secret).");
    }
    return good("Confidential client " + config.databricks.client_id + ".");
}

Finding check_redirect(Config const& config) {
    auto const& redirect = config.databricks.redirect_uri;
    if (!redirect.starts_with(config.server.public_url + "/")) {
        return warn("REDIRECT_URI " + redirect + " is not below server.public_url " +
                        config.server.public_url + ".",
                    "People come back to REDIRECT_URI; it must lead to this gateway.");
    }
    return good("Redirect URI " + redirect + " (must stand in the account console exactly so).");
}

// What needs the network: discovery, and the clock against the workspace's Date header.
Task<void> look_outside(std::shared_ptr<Registration const> registration, CurlClient& http,
                        SystemClock& clock, AsioTimers& timers, std::vector<Finding>& findings) {
    (void)timers;
    if (!registration->fixed_workspace) {
        findings.push_back(warn("DATABRICKS_HOST is not set; people are asked for their workspace.",
                                "Set it if there is only one."));
        co_return;
    }
    auto const workspace = *registration->fixed_workspace;
    Discovery discovery(http, clock);
    auto const metadata = co_await discovery.metadata(registration, workspace);
    if (!metadata) {
        findings.push_back(
            bad("Discovery at " + workspace.origin() + ": " + metadata.error().message(),
                std::string(metadata.error().hint())));
        co_return;
    }
    findings.push_back(good("Discovery: sign-in at " + (*metadata)->authorization_endpoint +
                            ", tokens at " + (*metadata)->token_endpoint + "."));
    if (!(*metadata)->jwks_uri.empty()) {
        auto const keys = co_await discovery.keys(registration, (*metadata)->jwks_uri, "");
        findings.push_back(
            keys
                ? good("Signing keys: " + std::to_string((*keys)->size()) + " usable.")
                : bad("Signing keys: " + keys.error().message(), std::string(keys.error().hint())));
    }
    HttpRequest request;
    request.url = workspace.origin() + "/.well-known/databricks-config";
    HttpLimits limits;
    limits.egress.operator_listed = workspace.kind() == HostKind::operator_listed;
    limits.egress.allowed_networks = registration->allowed_networks;
    auto const answer = co_await http.send(std::move(request), std::move(limits));
    auto const date = answer ? answer->headers.get("Date") : std::nullopt;
    auto const ahead = date ? parse_retry_after(*date, clock.now()) : std::nullopt;
    if (!date) {
        findings.push_back(warn("The workspace sent no Date, so the clock was not compared.",
                                "Check that the time is synchronised (NTP)."));
    } else if (ahead && *ahead > Seconds(10)) {
        findings.push_back(bad("This machine's clock is " + std::to_string(ahead->count()) +
                                   " s behind the workspace's.",
                               "Synchronise the time (NTP)."));
    } else {
        findings.push_back(good("The clock agrees with the workspace's."));
    }
}

int print(std::vector<Finding> const& findings, bool as_json) {
    bool failed = false;
    json::array list;
    for (auto const& finding : findings) {
        failed = failed || finding.verdict == "fail";
        list.push_back(
            {{"verdict", finding.verdict}, {"what", finding.what}, {"remedy", finding.remedy}});
        if (as_json) {
            continue;
        }
        std::cout << (finding.verdict == "ok"     ? "  ok    "
                      : finding.verdict == "warn" ? "  WARN  "
                                                  : "  FAIL  ")
                  << finding.what << '\n';
        if (!finding.remedy.empty()) {
            std::cout << "        " << finding.remedy << '\n';
        }
    }
    if (as_json) {
        std::cout << json::serialize(json::value(std::move(list))) << '\n';
    }
    return failed ? Exit::failed : Exit::ok;
}

}  // namespace

int run_doctor(Common const& common) {
    auto loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    set_up_log(LogLevel::error, LogFormat::automatic);
    auto const& config = loaded->config;
    std::vector<Finding> findings{good("The configuration is valid."), check_data_folder(config),
                                  check_root_key(config), check_client(config),
                                  check_redirect(config)};
    for (auto const& warning : loaded->warnings) {
        findings.push_back(warn(warning, ""));
    }
    SystemClock clock;
    AsioTimers timers(clock);
    Runtime runtime(RuntimeOptions{.http_threads = 1, .handle_signals = false});
    CurlOptions curl;
    curl.ca_file = config.tls.ca_file;
    curl.proxy = config.tls.proxy;
    auto http = CurlClient::create(std::move(curl), clock);
    if (!http) {
        return complain(http.error());
    }
    auto const look = [](std::shared_ptr<Registration const> registration, CurlClient& client,
                         SystemClock& the_clock, AsioTimers& the_timers, std::vector<Finding>& out,
                         Runtime& the_runtime) -> Task<void> {
        co_await look_outside(std::move(registration), client, the_clock, the_timers, out);
        the_runtime.request_stop();
    };
    spawn(runtime.control(),
          look(make_registration(config), **http, clock, timers, findings, runtime));
    runtime.run();
    http->reset();
    return print(findings, common.json);
}

int run_config(Common const& common) {
    auto loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    json::object out;
    for (auto const& setting : all_settings()) {
        std::string const value = setting.show(loaded->config);
        std::string const& source = loaded->source.at(setting.name());
        out[setting.name()] = {{"value", value}, {"source", source}};
        if (!common.json) {
            std::cout << setting.name() << " = " << value << "   [" << source << "]\n";
        }
    }
    if (common.json) {
        std::cout << json::serialize(out) << '\n';
    }
    return Exit::ok;
}

}  // namespace brickgate::cli
