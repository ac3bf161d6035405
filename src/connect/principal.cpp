// SPDX-License-Identifier: Apache-2.0
#include "connect/principal.h"

#include "base/encoding.h"
#include "databricks/endpoints.h"

namespace brickgate {

namespace {

constexpr std::size_t id_bytes_max = 255;

std::string text_at(json::object const& object, std::string_view key) {
    return clean_text(string_at(object, key).value_or(""));
}

// An identifier that is not exactly as it looks would pin the connection to something nobody can
// compare.
std::optional<std::string> id_at(json::object const& object, std::string_view key) {
    auto const id = string_at(object, key);
    if (!id || id->empty() || clean_text(*id, id_bytes_max) != *id) {
        return std::nullopt;
    }
    return std::string(*id);
}

}  // namespace

Principal principal_of(IdTokenClaims const& claims) {
    std::string const& name = !claims.preferred_username.empty() ? claims.preferred_username
                              : !claims.email.empty()            ? claims.email
                                                                 : claims.sub;
    return {claims.sub, clean_text(name), claims.name};
}

Result<void> check_access_token_hash(json::object const& claims, AccessToken const& token) {
    if (!claims.contains("at_hash")) {
        return {};
    }
    auto const expected = token.expose(
        [](std::string_view text) { return base64url_encode(sha256(text).substr(0, 16)); });
    if (string_at(claims, "at_hash").value_or("") != expected) {
        return fail(ErrorCode::id_token_malformed,
                    "The id_token was made for another access token.");
    }
    return {};
}

HttpRequest make_me_request(WorkspaceHost const& workspace, std::string const& workspace_id,
                            AccessToken const& token) {
    HttpRequest request;
    request.url = scim_me_url(workspace);
    request.headers.add("Accept", "application/json");
    if (!workspace_id.empty()) {  // the older name and the newer
        request.headers.add("X-Databricks-Org-Id", workspace_id);
        request.headers.add("X-Databricks-Workspace-Id", workspace_id);
    }
    request.authorization = token.expose([](std::string_view text) {
        std::string value;
        value.reserve(7 + text.size());  // no reallocation leaves a copy behind
        value.append("Bearer ").append(text);
        return Secret::from(std::move(value));
    });
    return request;
}

std::optional<Principal> parse_me_response(HttpResponse const& response) {
    if (response.status != 200) {
        return std::nullopt;
    }
    return response.body.expose([](std::string_view text) -> std::optional<Principal> {
        auto const parsed = parse_json(text);
        if (!parsed || !parsed->is_object()) {
            return std::nullopt;
        }
        auto const& me = parsed->get_object();
        auto const id = id_at(me, "id");
        if (!id) {
            return std::nullopt;
        }
        return Principal{"scim:" + *id, text_at(me, "userName"), text_at(me, "displayName")};
    });
}

std::optional<Principal> principal_hint(AccessToken const& token) {
    return token.expose([](std::string_view text) -> std::optional<Principal> {
        auto const first = text.find('.');
        auto const second = first == std::string_view::npos ? first : text.find('.', first + 1);
        if (second == std::string_view::npos) {
            return std::nullopt;
        }
        auto const payload = base64url_decode(text.substr(first + 1, second - first - 1));
        auto const parsed = payload ? parse_json(*payload) : std::unexpected(JsonFault::syntax);
        if (!parsed || !parsed->is_object()) {
            return std::nullopt;
        }
        auto const sub = id_at(parsed->get_object(), "sub");
        if (!sub) {
            return std::nullopt;
        }
        return Principal{"token:" + *sub, *sub, ""};
    });
}

Principal unknown_principal(std::string const& attempt) {
    return {"unknown:" + attempt, "", ""};
}

}  // namespace brickgate
