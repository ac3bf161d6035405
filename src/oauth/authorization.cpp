// SPDX-License-Identifier: Apache-2.0
#include "oauth/authorization.h"

#include <algorithm>

#include "base/encoding.h"

namespace brickgate {

namespace {

constexpr std::size_t query_bytes_max = 8 * 1024;
constexpr std::size_t code_bytes_max = 4096;
constexpr std::size_t error_bytes_max = 64;
constexpr std::size_t state_characters = 43;  // 32 bytes of base64url

bool is_base64url(std::string_view text) {
    return std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    });
}

bool is_visible(std::string_view text) {  // VSCHAR of RFC 6749 appendix A
    return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7F; });
}

bool is_error_char(char c) {  // appendix A.7 and A.8
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

// T24: what the RFC lets a description hold; the rest is dropped.
std::string clean_description(std::string_view text) {
    std::string out = clean_text(text);
    std::erase_if(out, [](char c) { return !is_error_char(c); });
    return out;
}

// RFC 6749 section 4.1.2.1. What is wrong with our own request is the operator's to mend, and its
// name says little to anybody else; so is what the RFC does not list.
Error refusal_of(std::string_view error) {
    if (error == "server_error") {
        return {ErrorCode::server_error, "The workspace could not go on with the sign-in."};
    }
    if (error == "temporarily_unavailable") {
        return {ErrorCode::temporarily_unavailable, "The workspace is too busy for a sign-in."};
    }
    if (error == "unauthorized_client") {
        return {ErrorCode::unauthorized_client, "The workspace does not let this app sign in."};
    }
    if (error == "invalid_scope") {
        return {ErrorCode::invalid_scope, "The workspace does not give this app these rights."};
    }
    return {ErrorCode::authorize_failed, "The workspace ended the sign-in with an error."};
}

std::unexpected<Error> invalid(std::string_view name) {
    return fail(ErrorCode::param_invalid,
                "The answer from the workspace carries a parameter of the wrong form: " +
                    std::string(name) + ".");
}

struct Recognised {
    std::optional<std::string> code, state, error, error_description, iss;

    std::optional<std::string>* slot(std::string_view name) {
        if (name == "code") {
            return &code;
        }
        if (name == "state") {
            return &state;
        }
        if (name == "error") {
            return &error;
        }
        if (name == "error_description") {
            return &error_description;
        }
        if (name == "iss") {
            return &iss;
        }
        return nullptr;
    }
};

}  // namespace

std::string authorize_url(ServerMetadata const& server, AuthorizationRequest const& request) {
    FormFields fields{{"response_type", "code"},
                      {"client_id", request.client_id.value()},
                      {"redirect_uri", request.redirect_uri.value()},
                      {"scope", request.scopes.to_string()},
                      {"state", request.state.value()}};
    if (request.nonce) {
        fields.emplace_back("nonce", request.nonce->value());
    }
    fields.emplace_back("code_challenge", request.challenge.value());
    fields.emplace_back("code_challenge_method", "S256");
    bool const has_query = server.authorization_endpoint.find('?') != std::string::npos;
    return server.authorization_endpoint + (has_query ? '&' : '?') + form_encode(fields);
}

Result<CallbackParameters> CallbackParameters::parse(std::string_view raw_query) {
    if (raw_query.size() > query_bytes_max) {
        return fail(ErrorCode::uri_too_long, "The answer from the workspace is too long.");
    }
    auto fields = form_decode(raw_query);
    if (!fields) {
        return fail(ErrorCode::param_invalid, "The answer from the workspace has a broken escape.");
    }
    Recognised found;
    for (auto& [name, value] : *fields) {
        auto* const slot = found.slot(name);
        if (!slot) {
            continue;  // section 4.1.2: unrecognised parameters are ignored
        }
        if (slot->has_value()) {
            return fail(ErrorCode::param_duplicate,
                        "The answer from the workspace carries a parameter twice: " + name + ".");
        }
        *slot = std::move(value);
    }
    if (found.state.value_or("").empty()) {
        return fail(ErrorCode::state_missing, "The answer carries no state.");
    }
    if (found.state->size() != state_characters || !is_base64url(*found.state)) {
        return fail(ErrorCode::state_missing, "The answer carries a state that is not of ours.");
    }
    CallbackParameters out;
    out.state = State(*found.state);
    if (found.code && found.error) {
        return invalid("code and error together");
    }
    if (!found.code && !found.error) {
        return invalid("neither code nor error");
    }
    if (found.code) {
        if (found.code->empty() || found.code->size() > code_bytes_max ||
            !is_visible(*found.code)) {
            return invalid("code");
        }
        out.code = AuthorizationCode(Secret::from(std::move(*found.code)));
    } else {
        if (found.error->empty() || found.error->size() > error_bytes_max ||
            !std::ranges::all_of(*found.error, is_error_char)) {
            return invalid("error");
        }
        out.error = *found.error;
        out.error_description = clean_description(found.error_description.value_or(""));
    }
    if (found.iss && (found.iss->empty() || !is_visible(*found.iss))) {
        return invalid("iss");
    }
    out.iss = std::move(found.iss);
    return out;
}

Result<ValidatedCode> validate_callback(CallbackParameters&& parameters, PendingLogin const& login,
                                        Time now) {
    if (login.expires_at <= now) {
        return fail(ErrorCode::login_expired, "This sign-in took longer than ten minutes.");
    }
    // RFC 9207 section 2.4: byte for byte, and before anything else of the answer is believed.
    if (parameters.iss && *parameters.iss != login.issuer.value()) {
        return fail(Error(ErrorCode::iss_mismatch,
                          "The answer comes from another server than the one that was asked.")
                        .with_detail(*parameters.iss));
    }
    if (!parameters.iss && login.iss_required) {
        return fail(ErrorCode::iss_missing,
                    "The server did not name itself, although it promises to.");
    }
    if (parameters.error == "access_denied") {
        return fail(Error(ErrorCode::access_denied, "The sign-in was declined.")
                        .with_detail(parameters.error_description));
    }
    if (!parameters.error.empty()) {
        return fail(refusal_of(parameters.error)
                        .with_detail(parameters.error + ": " + parameters.error_description));
    }
    if (!parameters.code) {
        return invalid("neither code nor error");
    }
    return ValidatedCode(std::move(*parameters.code));
}

}  // namespace brickgate
