// SPDX-License-Identifier: Apache-2.0
#pragma once
// What is needed to finish a sign-in once the answer is there; spooled with it (docs/adr/0011).
// Pure.
#include "base/http_message.h"
#include "connect/login.h"

namespace brickgate {

struct Login::Context {
    std::string attempt;  // 32 hex digits of the state's hash
    RegistrationId registration;
    std::string workspace;
    std::string workspace_id;
    Issuer issuer;
    std::string token_endpoint;
    std::string jwks_uri;
    Scopes scopes;
    std::string subject;
    std::string return_to;
    std::string nonce;

    static Context of(Vault::TakenLogin const& taken);
    Secret with_answer(HttpResponse const& answer) const;
    struct Spooled;
    static Result<Spooled> read(Secret const& spooled);
};

struct Login::Context::Spooled {
    Context context;
    HttpResponse answer;
};

}  // namespace brickgate
