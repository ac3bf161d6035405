// SPDX-License-Identifier: Apache-2.0
#include "server/api_json.h"

#include <algorithm>
#include <charconv>

#include "base/json.h"
#include "net/error_response.h"

namespace brickgate {

namespace {

constexpr Seconds min_valid_max = std::chrono::hours(24);

json::value time_or_null(std::optional<Time> const& time) {
    if (!time) {
        return nullptr;
    }
    return json::value(to_rfc3339(*time));
}

json::value text_or_null(std::string_view text) {
    if (text.empty()) {
        return nullptr;
    }
    return json::value(text);
}

// Tokens, scopes and origins have neither quotes nor control characters nor backslashes by their
// grammar; what does is escaped all the same.
void append_string(std::string& out, std::string_view text) {
    out += '"';
    bool const plain = std::ranges::none_of(
        text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; });
    if (plain) {
        out += text;
    } else {
        auto const quoted = json::serialize(json::value(text));
        out.append(quoted, 1, quoted.size() - 2);
    }
    out += '"';
}

void append_number(std::string& out, std::int64_t number) {
    std::array<char, 24> digits{};
    auto const [end, failed] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    out.append(digits.data(), end);
}

}  // namespace

ServerResponse json_answer(json::object const& document, int status) {
    return json_response(status, json::serialize(document));
}

json::object connection_json(Connection const& row) {
    json::object out;
    out["id"] = row.id.value();
    out["status"] = to_string(row.state);
    out["reason"] = row.reason == ReauthReason::none ? json::value(nullptr)
                                                     : json::value(to_string(row.reason));
    out["status_since"] = to_rfc3339(row.state_since);
    out["workspace"] = row.workspace;
    out["workspace_id"] = text_or_null(row.workspace_id);
    out["subject"] = row.subject;
    out["principal"] = {{"sub", row.principal.sub},
                        {"user_name", row.principal.user_name},
                        {"display_name", row.principal.display_name}};
    out["scopes"] = row.scopes.to_string();
    out["expires_at"] = to_rfc3339(row.access_expires_at);
    out["generation"] = row.generation;
    out["session_only"] = row.sealed_refresh.empty();
    out["refresh_due_at"] = time_or_null(row.refresh_due_at);
    out["next_attempt_at"] = time_or_null(row.next_attempt_at);
    out["fail_count"] = row.fail_count;
    out["last_error"] = text_or_null(row.last_error);
    out["created_at"] = to_rfc3339(row.created_at);
    out["updated_at"] = to_rfc3339(row.updated_at);
    return out;
}

json::object explanation_json(Connection const& row, Explanation const& explanation,
                              std::vector<EventRow> const& events) {
    json::object out;
    out["id"] = row.id.value();
    out["status"] = to_string(row.state);
    out["reason"] = row.reason == ReauthReason::none ? json::value(nullptr)
                                                     : json::value(to_string(row.reason));
    out["since"] = to_rfc3339(row.state_since);
    out["summary"] = explanation.summary;
    out["detail"] = explanation.detail;
    out["who_must_act"] = explanation.who_must_act;
    out["remedy"] = explanation.remedy;
    out["serves_tokens"] = explanation.serves_tokens;
    out["next_attempt_at"] = time_or_null(explanation.next_attempt_at);
    json::array list;
    for (auto const& event : events) {
        auto data = parse_json(event.data);
        list.push_back({{"at", to_rfc3339(event.at)},
                        {"type", event.type},
                        {"data", data ? *data : json::value(nullptr)}});
    }
    out["events"] = std::move(list);
    return out;
}

json::object api_key_json(ApiKeyRow const& row) {
    json::object out;
    out["id"] = row.id;
    out["name"] = row.name;
    json::array rights;
    std::string_view rest = row.rights;
    while (!rest.empty()) {
        auto const end = std::min(rest.find(','), rest.size());
        rights.push_back(json::value(rest.substr(0, end)));
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    out["rights"] = std::move(rights);
    out["created_at"] = to_rfc3339(row.created_at);
    out["not_after"] = time_or_null(row.not_after);
    out["revoked_at"] = time_or_null(row.revoked_at);
    out["leaked_at"] = time_or_null(row.leaked_at);
    return out;
}

void write_token_json(std::string& out, TokenJson const& token, Time now) {
    out.clear();
    out += R"({"access_token":)";
    append_string(out, token.access_token);
    out += R"(,"token_type":)";
    append_string(out, token.token_type);
    out += R"(,"expires_at":")";
    out += to_rfc3339(token.expires_at);
    out += R"(","expires_in":)";
    append_number(out, std::chrono::duration_cast<Seconds>(token.expires_at - now).count());
    out += R"(,"generation":)";
    append_number(out, static_cast<std::int64_t>(token.generation));
    out += R"(,"fingerprint":)";
    append_string(out, token.fingerprint);
    out += R"(,"scopes":)";
    append_string(out, token.scopes);
    out += R"(,"workspace":)";
    append_string(out, token.workspace);
    out += token.session_only ? R"(,"session_only":true})" : R"(,"session_only":false})";
}

std::optional<std::string> query_value(FormFields const& fields, std::string_view name) {
    auto const found = std::ranges::find(fields, name, &FormFields::value_type::first);
    if (found == fields.end()) {
        return std::nullopt;
    }
    return found->second;
}

Result<std::size_t> page_limit_of(FormFields const& fields) {
    constexpr std::size_t page_size = 100;
    constexpr std::size_t page_size_max = 1000;
    auto const text = query_value(fields, "limit").value_or(std::to_string(page_size));
    bool const digits = !text.empty() && text.size() <= 4 &&
                        text.find_first_not_of("0123456789") == std::string::npos;
    std::size_t const limit = digits ? std::stoul(text) : 0;
    if (limit < 1 || limit > page_size_max) {
        return fail(ErrorCode::invalid_request, "limit is a number from 1 to 1000.");
    }
    return limit;
}

Result<Seconds> min_valid_of(std::string_view query) {
    if (query.empty()) {
        return Seconds(0);
    }
    auto const fields = form_decode(query);
    auto const invalid =
        fail(ErrorCode::invalid_request, "min_valid is a number of seconds, 86400 at most.");
    if (!fields) {
        return invalid;
    }
    auto const text = query_value(*fields, "min_valid");
    if (!text) {
        return Seconds(0);
    }
    std::int64_t seconds = -1;
    auto const [end, failed] = std::from_chars(text->data(), text->data() + text->size(), seconds);
    bool const number = failed == std::errc() && end == text->data() + text->size();
    if (!number || seconds < 0 || Seconds(seconds) > min_valid_max) {
        return invalid;
    }
    return Seconds(seconds);
}

Result<json::object> body_object(std::string_view body) {
    auto parsed = parse_json(body);
    if (!parsed || !parsed->is_object()) {
        return fail(ErrorCode::invalid_request,
                    "The body must be one JSON object, without a key twice.");
    }
    return std::move(parsed->get_object());
}

}  // namespace brickgate
