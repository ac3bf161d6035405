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
    bool const adds = options.action == "add";
    auto admin =
        connect_admin(std::move(*loaded), adds ? WhenNew::make_vault : WhenNew::make_nothing);
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
        if (secret.empty()) {
            return complain(Error(ErrorCode::invalid_request, "No secret was given.")
                                .with_hint("Put it into DATABRICKS_CLIENT_SECRET, or send it as a "
                                           "line of standard input."));
        }
        json::object body{{"client_secret", secret}};
        wipe(secret);
        if (adds) {
            body["workspace"] = options.host;
            body["client_id"] = options.client_id;
            body["scopes"] = options.scopes;
            body["subject"] = options.subject;
        }
        answer = ask(**admin, "POST", adds ? path : secrets, std::move(body));
    }
    if (!answer && answer.error().code() == ErrorCode::invalid_client) {
        return complain(Error(ErrorCode::invalid_client, answer.error().message())
                            .with_hint("Check the service principal's id and its secret, and that "
                                       "it is of this workspace's account."));
    }
    if (!answer) {
        return complain(answer.error(), options.id);
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
