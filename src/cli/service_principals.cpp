// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <iostream>

#include "app/process.h"
#include "base/encoding.h"
#include "cli/command.h"
#include "cli/terminal.h"

namespace brickgate::cli {

namespace {

constexpr char const* secret_variable = "DATABRICKS_CLIENT_SECRET";

// From the variable that Databricks' own tools use, else a line of standard input: never from the
// command line, which other users see.
std::string read_secret() {
    auto secret = environment_variable(secret_variable);
    if (!secret.empty()) {
        return secret;
    }
    if (isatty(STDIN_FILENO) != 0) {
        std::cerr << "The service principal's secret (dose...), then Enter: ";
    }
    std::getline(std::cin, secret);
    return secret;
}

}  // namespace

int run_service_principals(Common const& common, ServicePrincipalsOptions const& options) {
    auto loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    auto admin = connect_admin(std::move(*loaded));
    if (!admin) {
        return complain(admin.error());
    }
    std::string const path = "/v1/service-principals";
    std::string const secrets = path + "/" + percent_encode(options.id) + "/secrets";
    Result<json::object> answer = json::object();
    if (options.action == "drop-older-secret") {
        answer = ask(**admin, "DELETE", secrets + "/older");
    } else {
        auto secret = read_secret();
        json::object body{{"client_secret", secret}};
        wipe(secret);
        if (options.action == "add") {
            body["workspace"] = options.host;
            body["client_id"] = options.client_id;
            body["scopes"] = options.scopes;
            body["subject"] = options.subject;
        }
        answer = ask(**admin, "POST", options.action == "add" ? path : secrets, std::move(body));
    }
    if (!answer) {
        return complain(answer.error());
    }
    if (common.json) {
        std::cout << json::serialize(*answer) << '\n';
    } else {
        std::cout << text_at(*answer, "id") << "  " << text_at(*answer, "workspace") << "  "
                  << text_at(*answer, "scopes") << '\n';
    }
    return Exit::ok;
}

}  // namespace brickgate::cli
