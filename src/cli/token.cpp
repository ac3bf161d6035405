// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "cli/terminal.h"
#include "cli/tokens.h"

namespace brickgate::cli {

namespace {

// ADR 12: a short-lived token cannot have the life that was asked for.
void warn_if_shorter(json::object const& token, int min_valid) {
    auto const left = integer_at(token, "expires_in").value_or(min_valid);
    if (left < min_valid) {
        std::cerr << "brickgate: this token is good for " << left << " seconds, not the "
                  << min_valid
                  << " that were asked for: more than half of a token's life is not promised.\n";
    }
}

}  // namespace

int run_token(Common const& common, TokenOptions const& options) {
    if (!options.write.empty()) {
        return run_token_write(common, options);
    }
    auto loaded = load(common);
    if (!loaded) {
        return loaded.error();
    }
    auto admin = connect_admin(std::move(*loaded));
    if (!admin) {
        return complain(admin.error());
    }
    auto const row = choose_connection(**admin, {.id = options.connection, .host = options.host});
    if (!row) {
        return complain(row.error());
    }
    std::string const path = "/v1/connections/" + percent_encode(text_at(*row, "id"));
    if (options.force_refresh) {
        if (auto const refreshed = ask(**admin, "POST", path + "/refresh"); !refreshed) {
            return complain(refreshed.error(), text_at(*row, "id"));
        }
    }
    auto const token =
        ask(**admin, "GET", path + "/token?min_valid=" + std::to_string(options.min_valid));
    if (!token) {
        return complain(token.error(), text_at(*row, "id"));
    }
    warn_if_shorter(*token, options.min_valid);
    if (options.output == "json" || common.json) {
        std::cout << token_document(*token);
    } else {
        std::cout << text_at(*token, "access_token") << '\n';
    }
    return Exit::ok;
}

}  // namespace brickgate::cli
