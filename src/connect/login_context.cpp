// SPDX-License-Identifier: Apache-2.0
#include "connect/login_context.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/json.h"
#include "vault/spooled_answer.h"

namespace brickgate {

Login::Context Login::Context::of(Vault::TakenLogin const& taken) {
    auto const& row = taken.row;
    return {hex_encode(row.state_hash.substr(0, 16)),
            row.registration,
            row.workspace,
            row.workspace_id,
            row.issuer,
            row.token_endpoint,
            row.jwks_uri,
            Scopes::parse(row.scopes).value_or(Scopes()),
            row.subject,
            row.return_to,
            taken.secrets.nonce};
}

Secret Login::Context::with_answer(HttpResponse const& answer) const {
    json::object text;
    text["attempt"] = attempt;
    text["registration"] = registration.value();
    text["workspace"] = workspace;
    text["workspace_id"] = workspace_id;
    text["issuer"] = issuer.value();
    text["token_endpoint"] = token_endpoint;
    text["jwks_uri"] = jwks_uri;
    text["scopes"] = scopes.to_string();
    text["subject"] = subject;
    text["return_to"] = return_to;
    text["nonce"] = nonce;
    std::string const head = json::serialize(text) + '\n';  // JSON has no raw line feed
    return encode_answer(answer).expose([&](std::string_view tail) {
        Secret out = Secret::zeros(head.size() + tail.size());
        out.write([&](std::span<char> bytes) {
            auto const at = std::ranges::copy(head, bytes.begin()).out;
            std::ranges::copy(tail, at);
        });
        return out;
    });
}

Result<Login::Context::Spooled> Login::Context::read(Secret const& spooled) {
    return spooled.expose([](std::string_view text) -> Result<Spooled> {
        auto const border = text.find('\n');
        auto const parsed = border == std::string_view::npos ? std::unexpected(JsonFault::syntax)
                                                             : parse_json(text.substr(0, border));
        if (!parsed || !parsed->is_object()) {
            return fail(ErrorCode::vault_error, "A spooled sign-in cannot be read.");
        }
        auto answer = decode_answer(Secret::copy_of(text.substr(border + 1)));
        if (!answer) {
            return fail(answer.error());
        }
        auto const& object = parsed->get_object();
        auto const at = [&](std::string_view key) {
            return std::string(string_at(object, key).value_or(""));
        };
        Context context{at("attempt"),        RegistrationId(at("registration")),
                        at("workspace"),      at("workspace_id"),
                        Issuer(at("issuer")), at("token_endpoint"),
                        at("jwks_uri"),       Scopes::parse(at("scopes")).value_or(Scopes()),
                        at("subject"),        at("return_to"),
                        at("nonce")};
        return Spooled{std::move(context), std::move(*answer)};
    });
}

}  // namespace brickgate
