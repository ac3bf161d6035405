// SPDX-License-Identifier: Apache-2.0
#include "proxy/target_rules.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/encoding.h"

namespace brickgate {

namespace {

constexpr auto allowed_prefixes = std::to_array<std::string_view>(
    {"/api/", "/serving-endpoints/", "/sql/1.0/", "/sql/protocolv1/"});

// Where people and programs sign in. None is below an allowed prefix; they stand here so that none
// ever becomes one.
constexpr auto denied_beginnings =
    std::to_array<std::string_view>({"/oidc", "/login", "/aad", "/.well-known"});

// Where more is allowed than ASCII segments: files have names in every language, and the command
// line client escapes the slashes of a workspace file's path (databricks/cli,
// libs/filer/workspace_files_client.go). Nothing here leaves its prefix either.
struct PathException {
    std::string_view prefix;
    bool escaped_slashes = false;
};
constexpr auto path_exceptions = std::to_array<PathException>({
    {.prefix = "/api/2.0/fs/"},
    {.prefix = "/api/2.0/workspace-files/import-file/", .escaped_slashes = true},
});

// What a unified host, or a workspace asked in another's name, routes by (facts 1.3).
constexpr auto routing_parameters =
    std::to_array<std::string_view>({"o", "w", "workspace_id", "a", "account_id"});

bool begins_with_any(std::string_view text, auto const& beginnings) {
    return std::ranges::any_of(
        beginnings, [&](std::string_view beginning) { return text.starts_with(beginning); });
}

// The byte that the "%HH" at the end of a text stands for; -1 if there is none.
int escape_at_end(std::string_view text) {
    if (text.size() < 3 || text[text.size() - 3] != '%') {
        return -1;
    }
    char const* const end = text.data() + text.size();
    unsigned byte = 0;
    auto const read = std::from_chars(end - 2, end, byte, 16);
    return read.ec == std::errc() && read.ptr == end ? static_cast<int>(byte) : -1;
}

// What is left when nothing is left to decode, however often that takes. Two escapes never overlap,
// so their order does not matter and one pass over the text is enough.
std::string decode_fully(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (char const c : text) {
        out += c;
        for (int byte = escape_at_end(out); byte >= 0; byte = escape_at_end(out)) {
            out.resize(out.size() - 3);
            out += static_cast<char>(byte);
        }
    }
    return out;
}

bool has_bad_escape(std::string_view text) {
    for (auto at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
        if (at + 3 > text.size() || escape_at_end(text.substr(0, at + 3)) < 0) {
            return true;
        }
    }
    return false;
}

bool is_control(char c) {
    auto const byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

bool is_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// UTF-8 without U+0080 to U+009F, which are control characters too.
bool is_text(std::string_view text) {
    for (auto at = text.find('\xC2'); at != std::string_view::npos;
         at = text.find('\xC2', at + 1)) {
        if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xA0) {
            return false;
        }
    }
    return is_valid_utf8(text);
}

bool has_dot_segment(std::string_view path) {
    while (!path.empty()) {
        path.remove_prefix(1);
        auto const end = std::min(path.find('/'), path.size());
        auto const segment = path.substr(0, end);
        if (segment == "." || segment == "..") {
            return true;
        }
        path.remove_prefix(end);
    }
    return false;
}

// "..;x" is ".." to a servlet container, which cuts parameters out of segments.
bool has_parameter_at_dots(std::string_view path) {
    return path.find(".;") != std::string_view::npos || path.find(";.") != std::string_view::npos;
}

// These return what is wrong, or nothing.
std::string_view fault_in_decoded(std::string_view raw_path) {
    auto const* const exception = std::ranges::find_if(
        path_exceptions,
        [&](PathException const& row) { return raw_path.starts_with(row.prefix); });
    bool const is_exception = exception != path_exceptions.end();
    // Once, as the workspace will, and fully, as nobody should.
    std::string const once = percent_decode(raw_path).value_or("");
    std::string const path = decode_fully(raw_path);
    if (std::ranges::any_of(path, is_control)) {
        return "The path holds a control character.";
    }
    bool const may_escape = is_exception && exception->escaped_slashes;
    if (path.find('\\') != std::string::npos ||
        std::ranges::count(path, '/') !=
            std::ranges::count(may_escape ? std::string_view(once) : raw_path, '/')) {
        return "The path holds an escaped slash or a backslash.";
    }
    if (path.find("//") != std::string::npos) {
        return "The path holds an empty segment.";
    }
    if (has_dot_segment(path)) {
        return "The path holds a segment \".\" or \"..\".";
    }
    if (has_parameter_at_dots(path)) {
        return "The path holds \";\" beside a dot.";
    }
    if (is_exception) {
        return is_text(once) && is_text(path) ? "" : "A name in the path is not UTF-8.";
    }
    return is_ascii(path) ? "" : "The path holds other characters than ASCII.";
}

std::string_view fault_in_path(std::string_view path) {
    if (path.find("//") != std::string_view::npos) {
        return "The path holds an empty segment.";
    }
    if (begins_with_any(path, denied_beginnings)) {
        return "Sign-in addresses are not passed on; the gateway signs in itself.";
    }
    if (!is_proxied_path(path)) {
        return "Only /api/, /serving-endpoints/, /sql/1.0/ and /sql/protocolv1/ are passed on.";
    }
    if (path.find('%') == std::string_view::npos) {
        return has_dot_segment(path)         ? "The path holds a segment \".\" or \"..\"."
               : has_parameter_at_dots(path) ? "The path holds \";\" beside a dot."
                                             : "";
    }
    return fault_in_decoded(path);
}

std::string_view fault_in_target(std::string_view target) {
    if (target.size() > proxy_target_bytes_max) {
        return "The address is too long.";
    }
    if (!target.starts_with('/')) {
        return "The request target must begin with a slash.";
    }
    if (!std::ranges::all_of(target, [](char c) { return c > 0x20 && c < 0x7f; })) {
        return "The address holds a character that must be escaped.";
    }
    if (target.find_first_of("#\\") != std::string_view::npos) {
        return "The address holds \"#\" or a backslash.";
    }
    if (has_bad_escape(target)) {
        return "The address holds \"%\" without two hexadecimal digits.";
    }
    return fault_in_path(target.substr(0, target.find('?')));
}

bool is_routing(std::string_view parameter) {
    std::string const name = decode_fully(parameter.substr(0, parameter.find_first_of("=;")));
    return std::ranges::find(routing_parameters, name) != routing_parameters.end();
}

// Some servers end a parameter at ';' too: "x=1;o=9" is two parameters to them, one to us.
bool hides_routing(std::string_view parameter) {
    for (auto at = parameter.find(';'); at != std::string_view::npos; at = parameter.find(';')) {
        parameter.remove_prefix(at + 1);
        if (is_routing(parameter.substr(0, parameter.find(';')))) {
            return true;
        }
    }
    return false;
}

struct CutQuery {
    std::string kept;
    bool was_cut = false;
    bool hides_routing = false;
};

CutQuery cut_routing(std::string_view query) {
    CutQuery out;
    for (bool more = true, first = true; more;) {
        auto const end = query.find('&');
        more = end != std::string_view::npos;
        std::string_view const parameter = query.substr(0, end);
        query.remove_prefix(more ? end + 1 : query.size());
        out.hides_routing = out.hides_routing || hides_routing(parameter);
        if (is_routing(parameter)) {
            out.was_cut = true;
            continue;
        }
        out.kept += first ? "" : "&";
        out.kept += parameter;
        first = false;
    }
    return out;
}

}  // namespace

std::string_view ProxyTarget::path() const {
    return std::string_view(raw).substr(0, raw.find('?'));
}

std::string_view ProxyTarget::query() const {
    auto const mark = raw.find('?');
    return mark == std::string::npos ? std::string_view() : std::string_view(raw).substr(mark + 1);
}

Result<ProxyTarget> check_target(std::string_view raw_target) {
    if (auto const fault = fault_in_target(raw_target); !fault.empty()) {
        return fail(ErrorCode::path_rejected, std::string(fault));
    }
    auto const mark = raw_target.find('?');
    if (mark == std::string_view::npos) {
        return ProxyTarget{std::string(raw_target)};
    }
    CutQuery const query = cut_routing(raw_target.substr(mark + 1));
    if (query.hides_routing) {
        return fail(ErrorCode::path_rejected,
                    "The query names a workspace or an account after \";\".");
    }
    if (!query.was_cut) {
        return ProxyTarget{std::string(raw_target)};
    }
    std::string kept(raw_target.substr(0, mark));
    return ProxyTarget{query.kept.empty() ? kept : kept + '?' + query.kept};
}

bool is_proxied_path(std::string_view raw_path) {
    return begins_with_any(raw_path, allowed_prefixes);
}

bool path_within(std::string_view raw_path, std::string_view prefix) {
    if (!prefix.starts_with('/') || !raw_path.starts_with(prefix)) {
        return false;
    }
    return prefix.ends_with('/') || raw_path.size() == prefix.size() ||
           raw_path[prefix.size()] == '/';
}

}  // namespace brickgate
