// SPDX-License-Identifier: Apache-2.0
#include "proxy/rejection.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/http_message.h"
#include "base/json.h"

namespace brickgate {

namespace {

// Facts 3.5, lower case. "token is expiring within 30 seconds" comes before the token's end.
constexpr auto token_words = std::to_array<std::string_view>(
    {"invalid access token", "invalid token", "token expired", "token is expired",
     "token is expiring", "expiredjwtexception"});

// Facts 3.6: refusals that a new token would meet again, even if they quote a name of the caller's
// choice that sounds like the words above.
constexpr auto other_words = std::to_array<std::string_view>(
    {"does not have", "do not have", "not authorized to", "required scopes", "invalid scope",
     "ip acl", "ip access list"});

// Where the error shapes of facts 3.4 keep their text.
constexpr auto message_members =
    std::to_array<std::string_view>({"message", "error", "detail", "error_description"});

bool mentions(std::string_view text, auto const& words) {
    return std::ranges::any_of(
        words, [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

// The messages of a JSON error, without what it quotes elsewhere; false if it is none.
bool append_messages(std::string& out, std::string_view body) {
    auto const parsed = parse_json(body);
    auto const* const object = parsed ? parsed->if_object() : nullptr;
    for (std::string_view const member : message_members) {
        out += '\n';
        out += object ? string_at(*object, member).value_or("") : "";
    }
    return object != nullptr;
}

// A JSON error's messages, with a reason phrase in front or without; any other body as it is (HTML,
// plain text, a text that was cut). Lower case.
std::string what_it_says(std::string_view body) {
    auto const line_end = std::min(body.find('\n'), body.size());
    std::string out;
    if (!append_messages(out, body)) {
        out = body.substr(0, line_end);
        if (!append_messages(out, body.substr(line_end))) {
            out = body;
        }
    }
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

void skip(std::string_view& text, std::string_view characters) {
    text.remove_prefix(std::min(text.find_first_not_of(characters), text.size()));
}

// Takes a quoted string, without its quotes, or whatever stands before the next of `ends`.
std::string_view take_word(std::string_view& text, std::string_view ends) {
    bool const quoted = text.starts_with('"');
    text.remove_prefix(quoted ? 1 : 0);
    auto end = text.find_first_of(quoted ? "\"\\" : ends);
    while (quoted && end != std::string_view::npos && text[end] == '\\') {
        end = text.find_first_of("\"\\", end + 2);
    }
    end = std::min(end, text.size());
    auto const word = text.substr(0, end);
    text.remove_prefix(std::min(end + (quoted ? 1 : 0), text.size()));
    return word;
}

// The parameter `error` of a Bearer challenge (RFC 6750 section 3).
std::string_view challenge_error(std::string_view challenge) {
    while (true) {
        skip(challenge, " \t,=");
        if (challenge.empty()) {
            return {};
        }
        auto const name = take_word(challenge, " \t,=");
        skip(challenge, " \t");
        if (challenge.starts_with('=')) {
            challenge.remove_prefix(1);
            skip(challenge, " \t");
            auto const value = take_word(challenge, " \t,");
            if (equals_ignoring_case(name, "error")) {
                return value;
            }
        }
    }
}

}  // namespace

TokenVerdict judge_token(int status, std::string_view body_start,
                         std::string_view www_authenticate) {
    if (status != 400 && status != 401 && status != 403) {
        return TokenVerdict::accepted;
    }
    std::string const text = what_it_says(body_start.substr(0, rejection_body_bytes_max));
    bool rejected = false;
    if (status == 400) {  // Entra tokens, until December 2025
        rejected = text.find("expiredjwtexception") != std::string::npos;
    } else if (auto const error = challenge_error(www_authenticate); error == "invalid_token") {
        rejected = true;
    } else if (error != "insufficient_scope") {
        bool const about_token = mentions(text, token_words);
        bool const about_other = mentions(text, other_words);
        rejected = status == 401 ? about_token || !about_other : about_token && !about_other;
    }
    return rejected ? TokenVerdict::rejected : TokenVerdict::accepted;
}

}  // namespace brickgate
