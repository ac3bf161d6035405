// SPDX-License-Identifier: Apache-2.0
#include "proxy/header_rules.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/http_message.h"

namespace brickgate {

namespace {

using Fields = std::span<HeaderField const>;

// RFC 9110 section 7.6.1, and what older software puts beside it (T40).
constexpr auto hop_by_hop = std::to_array<std::string_view>(
    {"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
     "TE", "Trailer", "Transfer-Encoding", "Upgrade", "HTTP2-Settings", "Content-Length"});

// T42: all that a caller may say to a workspace, and "If-*".
constexpr auto request_allowed = std::to_array<std::string_view>(
    {"Accept", "Accept-Encoding", "Accept-Language", "Content-Type", "Content-Encoding", "Range",
     "User-Agent", "X-Request-Id", "traceparent", "Idempotency-Key"});

// No operator's list lets these through: somebody's credentials (facts 1.6 has Databricks' own),
// where the call goes (T38), or another method than the one that the capability allows.
constexpr auto request_denied = std::to_array<std::string_view>(
    {"Authorization", "Cookie", "Cookie2", "Host", "Expect", "Forwarded", "X-Databricks-Org-Id",
     "X-Databricks-Workspace-Id", "X-Databricks-Azure-SP-Management-Token",
     "X-Databricks-Azure-Workspace-Resource-Id", "X-Databricks-GCP-SA-Access-Token",
     "X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override", "X-Original-URL",
     "X-Rewrite-URL"});
constexpr auto request_denied_families =
    std::to_array<std::string_view>({"X-Forwarded-", "X-Brickgate-", "Brickgate-"});

// T44: what a browser would apply to our whole origin, or remember about it; and what we say
// ourselves.
constexpr auto response_denied = std::to_array<std::string_view>(
    {"Set-Cookie", "Set-Cookie2", "Strict-Transport-Security", "Alt-Svc", "Clear-Site-Data",
     "Refresh", "Service-Worker-Allowed", "Link", "NEL", "Report-To", "Reporting-Endpoints",
     "Accept-CH", "Critical-CH", "Expect-CT", "Set-Login", "Speculation-Rules", "Date",
     "Use-As-Dictionary", "X-Content-Type-Options", "Cross-Origin-Resource-Policy",
     // A web server in front of us would send a file of its own instead of this answer.
     "X-Sendfile", "X-Lighttpd-Send-File", "X-Reproxy-URL", "X-Reproxy-File"});
constexpr auto response_denied_families = std::to_array<std::string_view>(
    {"Access-Control-", "Content-Security-Policy", "Public-Key-Pins", "X-Accel-", "Brickgate-",
     "Sec-Session-",
     // What only caches between us and the caller read.
     "Surrogate-", "CDN-", "Cloudflare-CDN-", "Vercel-CDN-", "Netlify-CDN-"});

constexpr auto response_added =
    std::to_array<HeaderField>({{"X-Content-Type-Options", "nosniff"},
                                {"Content-Security-Policy", "sandbox; default-src 'none'"},
                                {"Cross-Origin-Resource-Policy", "same-origin"}});

bool is_one_of(std::string_view name, auto const& names) {
    return std::ranges::any_of(
        names, [&](std::string_view other) { return equals_ignoring_case(name, other); });
}

bool begins_with_any(std::string_view name, auto const& families) {
    return std::ranges::any_of(families, [&](std::string_view family) {
        return equals_ignoring_case(name.substr(0, family.size()), family);
    });
}

using ByteSet = std::array<bool, 256>;

// RFC 9110 section 5.6.2.
constexpr ByteSet token_bytes = [] {
    ByteSet out{};
    for (char const c : std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "0123456789!#$%&'*+-.^_`|~")) {
        out.at(static_cast<unsigned char>(c)) = true;
    }
    return out;
}();

// T41. Bytes above ASCII pass: file names travel in Content-Disposition as they are.
constexpr ByteSet value_bytes = [] {
    ByteSet out{};
    for (unsigned byte = 0; byte < out.size(); ++byte) {
        out.at(byte) = (byte >= 0x20 || byte == '\t') && byte != 0x7f;
    }
    return out;
}();

bool has_only(std::string_view text, ByteSet const& bytes) {
    for (char const c : text) {
        if (!bytes[static_cast<unsigned char>(c)]) {
            return false;
        }
    }
    return true;
}

bool is_token(std::string_view text) {
    return !text.empty() && has_only(text, token_bytes);
}

bool is_field_value(std::string_view text) {
    return has_only(text, value_bytes);
}

bool are_well_formed(Fields fields) {
    return std::ranges::all_of(fields, [](HeaderField const& field) {
        return is_token(field.name) && is_field_value(field.value);
    });
}

std::string_view trimmed(std::string_view text) {
    auto const begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

// The names that a message's Connection fields list; nullopt: too many, or one that is no name.
std::optional<std::vector<std::string_view>> nominated_by(Fields fields) {
    std::vector<std::string_view> out;
    for (HeaderField const& field : fields) {
        if (!equals_ignoring_case(field.name, "Connection")) {
            continue;
        }
        for (std::string_view list = field.value; !list.empty();) {
            auto const end = std::min(list.find(','), list.size());
            std::string_view const name = trimmed(list.substr(0, end));
            list.remove_prefix(std::min(end + 1, list.size()));
            if (name.empty()) {
                continue;
            }
            if (!is_token(name) || out.size() == connection_nominations_max) {
                return std::nullopt;
            }
            out.push_back(name);
        }
    }
    return out;
}

// Names with '_' reach CGI and WSGI programs as the names with '-' they resemble.
bool is_ambiguous(std::string_view name) {
    return name.find('_') != std::string_view::npos;
}

bool may_reach_workspace(std::string_view name, RequestHeaderRules const& rules) {
    if (is_one_of(name, request_allowed) || equals_ignoring_case(name.substr(0, 3), "If-")) {
        return true;
    }
    return is_one_of(name, rules.extra_allowed) && !is_ambiguous(name) &&
           !is_one_of(name, hop_by_hop) && !is_one_of(name, request_denied) &&
           !begins_with_any(name, request_denied_families);
}

bool may_reach_caller(std::string_view name) {
    return !is_ambiguous(name) && !is_one_of(name, hop_by_hop) &&
           !is_one_of(name, response_denied) && !begins_with_any(name, response_denied_families);
}

bool contains_ignoring_case(std::string_view text, std::string_view word) {
    auto const found = std::ranges::search(
        text, word, [](char a, char b) { return equals_ignoring_case({&a, 1}, {&b, 1}); });
    return !found.empty() || word.empty();
}

// Leave for a cache between us and the caller to give one caller's answer to another, who showed no
// key (RFC 9111 section 3.5).
bool shares_with_everybody(std::string_view cache_control) {
    constexpr auto words =
        std::to_array<std::string_view>({"public", "s-maxage", "must-revalidate"});
    return std::ranges::any_of(
        words, [&](auto word) { return contains_ignoring_case(cache_control, word); });
}

// Asks a browser for a password in our name, or lets every page show ours.
bool is_harmful(HeaderField const& field) {
    constexpr std::string_view ours = "Bearer";
    if (equals_ignoring_case(field.name, "WWW-Authenticate")) {
        return !equals_ignoring_case(field.value.substr(0, ours.size()), ours);
    }
    return equals_ignoring_case(field.name, "X-Frame-Options") &&
           !equals_ignoring_case(field.value, "DENY") &&
           !equals_ignoring_case(field.value, "SAMEORIGIN");
}

bool append_user_agent(std::string& out, std::string_view callers, std::string const& suffix) {
    if (callers.empty() && suffix.empty()) {
        return true;
    }
    std::string value(callers);
    value += callers.empty() || suffix.empty() ? "" : " ";
    return append_header_line(out, "User-Agent", value + suffix);
}

// Everything that passes of a caller's fields; false: a line was refused.
bool append_passing(std::string& out, Fields from, std::vector<std::string_view> const& nominated,
                    RequestHeaderRules const& rules) {
    std::string_view user_agent;
    bool fine = true;
    for (HeaderField const& field : from) {
        if (is_one_of(field.name, nominated) || !may_reach_workspace(field.name, rules)) {
            continue;
        }
        if (equals_ignoring_case(field.name, "User-Agent")) {
            user_agent = user_agent.empty() ? field.value : user_agent;
        } else {
            fine = fine && append_header_line(out, field.name, field.value);
        }
    }
    return fine && append_user_agent(out, user_agent, rules.user_agent_suffix);
}

}  // namespace

bool append_header_line(std::string& out, std::string_view name, std::string_view value) {
    if (!is_token(name) || !is_field_value(value)) {
        return false;
    }
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
    return true;
}

Result<void> append_request_headers(std::string& out, Fields from, RequestHeaderRules const& rules,
                                    std::string_view workspace_id) {
    if (!are_well_formed(from)) {
        return fail(ErrorCode::invalid_request, "A header has a malformed name or value.");
    }
    auto const nominated = nominated_by(from);
    if (!nominated) {
        return fail(ErrorCode::invalid_request, "The Connection header is malformed.");
    }
    std::size_t const begin = out.size();
    bool fine = append_passing(out, from, *nominated, rules);
    if (!workspace_id.empty()) {  // the older name and the newer (facts 1.3)
        fine = fine && append_header_line(out, "X-Databricks-Org-Id", workspace_id) &&
               append_header_line(out, "X-Databricks-Workspace-Id", workspace_id);
    }
    if (!fine) {
        out.resize(begin);
        return fail(ErrorCode::internal, "A header of our own is malformed.");
    }
    return {};
}

Result<void> append_response_headers(std::string& out, Fields from) {
    auto const nominated = are_well_formed(from) ? nominated_by(from) : std::nullopt;
    if (!nominated) {
        return fail(ErrorCode::upstream_malformed, "The workspace answered with a broken header.");
    }
    std::size_t const begin = out.size();
    bool fine = true;
    bool says_caching = false;
    for (HeaderField const& field : from) {
        if (is_one_of(field.name, *nominated) || !may_reach_caller(field.name) ||
            is_harmful(field)) {
            continue;
        }
        bool const caching = equals_ignoring_case(field.name, "Cache-Control");
        says_caching = says_caching || caching;
        bool const shared = caching && shares_with_everybody(field.value);
        fine = fine && append_header_line(out, field.name, shared ? "private" : field.value);
    }
    for (HeaderField const& field : response_added) {
        fine = fine && append_header_line(out, field.name, field.value);
    }
    if (!says_caching) {
        fine = fine && append_header_line(out, "Cache-Control", "no-store");
    }
    if (!fine) {
        out.resize(begin);
        return fail(ErrorCode::internal, "A header of our own is malformed.");
    }
    return {};
}

}  // namespace brickgate
