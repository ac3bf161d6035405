// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "cli/terminal.h"
#include "cli/tokens.h"

namespace brickgate::cli {

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
            return complain(refreshed.error());
        }
    }
    auto const token =
        ask(**admin, "GET", path + "/token?min_valid=" + std::to_string(options.min_valid));
    if (!token) {
        return complain(token.error());
    }
    if (options.output == "json" || common.json) {
        std::cout << token_document(*token);
    } else {
        std::cout << text_at(*token, "access_token") << '\n';
    }
    return Exit::ok;
}

}  // namespace brickgate::cli
