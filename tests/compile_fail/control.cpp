// SPDX-License-Identifier: Apache-2.0
// must compile: what the other files of this folder try, done rightly. If this one fails, they fail
// for the wrong reason.
#include <fmt/format.h>

#include <iostream>

#include "base/log.h"
#include "databricks/workspace.h"
#include "oauth/token_endpoint.h"

using namespace brickgate;

Secret moved(Secret secret) {
    Secret other = secret.clone();
    other = std::move(secret);
    return other;
}

bool compared(Secret const& a, Secret const& b, State const& x, State const& y) {
    return a.ct_equal(b) && a.ct_equal("text") && x == y;
}

std::string told(ClientId const& id, Secret const& secret) {
    std::cout << id.value() << secret.size();
    log(LogLevel::info, "event", "A sentence.", {{"client", id.value()}, {"size", secret.size()}});
    return fmt::format("{} {}", id.value(), secret.size());
}

Result<HttpRequest> sent(ClientAuthentication const& client, CallbackParameters parameters,
                         PendingLogin const& login, RedirectUri const& redirect_uri,
                         PkceVerifier const& verifier) {
    auto code = validate_callback(std::move(parameters), login, Time());
    if (!code) {
        return fail(code.error());
    }
    return make_code_request("https://a.test/token", client, std::move(*code), redirect_uri,
                             verifier);
}

HttpRequest refreshed(ClientAuthentication const& client, RefreshToken const& token) {
    return make_refresh_request("https://a.test/token", client, token);
}
