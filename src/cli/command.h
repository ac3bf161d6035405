// SPDX-License-Identifier: Apache-2.0
#pragma once
// What all commands share: the options they understand, the configuration they load, the way to the
// gateway.
#include <memory>
#include <string>
#include <vector>

#include "app/load_config.h"
#include "base/encoding.h"
#include "base/json.h"
#include "base/result.h"

namespace brickgate::cli {

// Exit codes, as docs/operations.md lists them.
enum Exit : int { ok = 0, failed = 1, usage = 64, unavailable = 69, in_use = 75, bad_config = 78 };

struct Common {
    std::string program = "brickgate";  // as it was called
    std::string config_file;
    // Of the daemons and of those who speak about them; other commands are run anywhere.
    WorkingFolder folder = WorkingFolder::names_the_app;
    ConfigValues flags;  // settings given on the command line, by name
    bool json = false;
};

// Says what is wrong, each on a line of standard error, and gives the exit code for it. Hints that
// speak of the API are put into commands; `connection`: the one that it is about.
int complain(Error const& error, std::string const& connection = {});
int complain(std::vector<std::string> const& lines);

// `before`: what was loaded first, for the secrets, which are in the environment only once.
std::expected<LoadedConfig, std::vector<std::string>> try_load(
    Common const& common, LoadedConfig const* before = nullptr);
// Complains by itself: the exit code.
std::expected<LoadedConfig, int> load(Common const& common, LoadedConfig const* before = nullptr);

// The gateway's API, wherever it is: the running daemon's socket, or the data folder opened here
// and now. One command after the other: who comes second waits.
class Admin {
 public:
    struct Answer {
        int status = 0;
        json::object body;
    };
    virtual ~Admin() = default;
    // No body in the answer is an empty object.
    virtual Result<Answer> call(std::string method, std::string target, json::object body = {}) = 0;
    virtual bool is_daemon() const = 0;
    virtual std::string folder() const { return {}; }  // the data folder, for sentences
};
// What a command does where there is no vault yet. One that only reads makes nothing: it is
// answered as by an empty one.
enum class WhenNew : std::uint8_t { make_nothing, make_vault };
// Errors: in_use and the data folder's.
Result<std::unique_ptr<Admin>> connect_admin(LoadedConfig loaded,
                                             WhenNew when_new = WhenNew::make_nothing);
bool daemon_runs(Config const& config);
bool has_vault(Config const& config);  // in the data folder
// The answer if it is a success; else what the gateway said is wrong.
Result<json::object> ask(Admin& admin, std::string method, std::string target,
                         json::object body = {});

// Every row of this list that fits, however many pages that takes.
Result<json::array> all_items(Admin& admin, std::string const& path, FormFields filter);

int run_serve(Common const& common);
struct DemoOptions {
    std::string sandbox_listen = "127.0.0.1:0";
    bool listen_given = false;
};
int run_demo(Common const& common, DemoOptions const& options);
struct SandboxCommand {
    std::string listen = "127.0.0.1:3001";
    std::string client_id = "brickgate-demo";
    std::string client_secret = "brickgate-demo-secret";
    std::vector<std::string> redirect_uris{"http://localhost:3000/callback"};
    std::string state_file;
    std::string origin;  // where something stands in front; empty: its own
};
int run_sandbox(SandboxCommand const& options);
struct LoginOptions {
    std::string host;
    std::string subject;
    bool no_browser = false;
};
int run_login(Common const& common, LoginOptions const& options);
struct TokenOptions {
    std::string connection;
    std::string host;
    std::string output = "text";
    int min_valid = 0;
    bool force_refresh = false;
    std::string write;  // a file that is kept fresh
    std::string format = "text";
    bool once = false;
};
int run_token(Common const& common, TokenOptions const& options);
int run_token_write(Common const& common, TokenOptions const& options);
// Local wall clock, a fraction and the machine's offset: the only form that every Databricks SDK
// reads right (databricks-facts 5.3).
std::string local_expiry(std::string_view rfc3339);
// Stands in for Databricks' own CLI: `words` are what was typed after the program's name.
int run_databricks_shim(Common const& common, std::vector<std::string> const& words);
struct ShimInstallOptions {
    std::string folder;
    bool force = false;
};
int run_shim_install(ShimInstallOptions const& options);
struct ConnectionsOptions {
    std::string action;  // list | show | explain | refresh | disconnect | release
    std::string id;
    std::string subject, workspace, status;
    bool all = false;
};
int run_connections(Common const& common, ConnectionsOptions const& options);
struct ServicePrincipalsOptions {
    std::string action;  // add | add-secret | drop-older-secret
    std::string id;
    std::string host, client_id, scopes, subject;
};
int run_service_principals(Common const& common, ServicePrincipalsOptions const& options);
struct ApiKeysOptions {
    std::string action;  // create | list | revoke
    std::string id, name;
    std::vector<std::string> rights;
    int expires_in = 0;
};
int run_api_keys(Common const& common, ApiKeysOptions const& options);
struct CapabilitiesOptions {
    std::string action;  // create | list | revoke
    std::string id, connection, name;
    std::vector<std::string> methods, paths;
    int expires_in = 0;
};
int run_capabilities(Common const& common, CapabilitiesOptions const& options);
struct VaultKeysOptions {
    std::string action;  // list | rotate | retire
    std::string id;
    bool root = false;
};
int run_keys(Common const& common, VaultKeysOptions const& options);
struct BackupOptions {
    std::string folder;
    bool with_root_key = false;
};
int run_backup(Common const& common, BackupOptions const& options);
int run_restore(Common const& common, BackupOptions const& options);
int run_doctor(Common const& common);
int run_config(Common const& common);
int run_version(Common const& common);

}  // namespace brickgate::cli
