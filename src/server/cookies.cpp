// SPDX-License-Identifier: Apache-2.0
#include "server/cookies.h"

#include <algorithm>
#include <charconv>

namespace brickgate {

namespace {

constexpr std::size_t cookies_max = 8;
constexpr std::int64_t seconds_max = 253'402'300'799;  // the year 9999
constexpr std::string_view stem = "bg_t_";
constexpr std::string_view host_prefix = "__Host-";

std::string name_of(ServerSettings const& settings, std::string_view suffix) {
    return std::string(settings.plain_cookies ? "" : host_prefix) + std::string(stem) +
           std::string(suffix);
}

std::string attributes(ServerSettings const& settings, std::string_view max_age) {
    return std::string("; Path=/; HttpOnly; SameSite=Lax; Max-Age=") + std::string(max_age) +
           (settings.plain_cookies ? "" : "; Secure");
}

bool is_suffix(std::string_view text) {
    return text.size() == 8 && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

// "<seconds>.<value>"
LoginCookie read(std::string_view suffix, std::string_view text) {
    LoginCookie cookie;
    cookie.suffix = suffix;
    auto const dot = text.find('.');
    if (dot == std::string_view::npos) {
        return cookie;
    }
    std::int64_t seconds = 0;
    std::from_chars(text.data(), text.data() + dot, seconds);
    bool const plausible = seconds >= 0 && seconds <= seconds_max;
    cookie.made_at = plausible ? Time(Seconds(seconds)) : Time();
    cookie.value = text.substr(dot + 1);
    return cookie;
}

}  // namespace

Result<std::vector<LoginCookie>> login_cookies(ServerRequest const& request,
                                               ServerSettings const& settings) {
    std::vector<LoginCookie> out;
    std::string const start = name_of(settings, "");
    for (auto line : request.header_values("Cookie")) {
        while (!line.empty()) {
            auto const end = std::min(line.find(';'), line.size());
            auto pair = line.substr(0, end);
            line.remove_prefix(std::min(end + 1, line.size()));
            while (pair.starts_with(' ')) {
                pair.remove_prefix(1);
            }
            auto const equals = pair.find('=');
            if (equals == std::string_view::npos || !pair.starts_with(start)) {
                continue;
            }
            auto const suffix = pair.substr(start.size(), equals - start.size());
            if (!is_suffix(suffix)) {
                continue;
            }
            if (std::ranges::find(out, suffix, &LoginCookie::suffix) != out.end()) {
                return fail(ErrorCode::cookie_duplicate,
                            "The browser sent the sign-in's cookie twice.");
            }
            out.push_back(read(suffix, pair.substr(equals + 1)));
        }
    }
    return out;
}

std::vector<std::string> set_login_cookie(ServerSettings const& settings,
                                          std::vector<LoginCookie> const& held,
                                          std::string const& suffix, Secret const& value,
                                          Time now) {
    std::vector<std::string> out;
    auto const seconds = std::chrono::duration_cast<Seconds>(now.time_since_epoch()).count();
    out.push_back(value.expose([&](std::string_view text) {
        return name_of(settings, suffix) + '=' + std::to_string(seconds) + '.' + std::string(text) +
               attributes(settings, "600");
    }));
    auto oldest_first = held;
    std::ranges::sort(oldest_first, {}, &LoginCookie::made_at);
    std::size_t const surplus =
        oldest_first.size() < cookies_max ? 0 : oldest_first.size() + 1 - cookies_max;
    for (std::size_t i = 0; i < surplus; ++i) {
        out.push_back(clear_login_cookie(settings, oldest_first[i].suffix));
    }
    return out;
}

std::string clear_login_cookie(ServerSettings const& settings, std::string const& suffix) {
    return name_of(settings, suffix) + '=' + attributes(settings, "0");
}

}  // namespace brickgate
