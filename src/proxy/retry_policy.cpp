// SPDX-License-Identifier: Apache-2.0
#include "proxy/retry_policy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

#include "base/json.h"
#include "proxy/rejection.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;

constexpr Milliseconds first_wait = 500ms;  // a failover at the front door is shorter
constexpr Milliseconds wait_max = 10s;      // of our own choice: as Databricks' Go client
// Those who were sent away together should not come back together.
constexpr Milliseconds spread_max = 2s;

// PUT replaces and DELETE removes the thing that the path names, so that twice is once. Elsewhere
// (a serving endpoint's PUT .../config) they begin something.
constexpr auto idempotent_routes = std::to_array<std::string_view>(
    {"/api/2.0/fs/", "/api/2.0/permissions/", "/api/2.0/workspace/", "/api/2.0/ip-access-lists/",
     "/api/2.0/preview/scim/v2/", "/api/2.1/unity-catalog/"});

// Where Databricks promises that an idempotency_token starts one run only (facts 9).
constexpr auto token_routes =
    std::to_array<std::string_view>({"/jobs/run-now", "/jobs/runs/submit"});

bool takes_idempotency_token(std::string_view path) {
    constexpr std::string_view api = "/api/2.";
    if (!path.starts_with(api) || path.size() == api.size()) {
        return false;
    }
    char const minor = path[api.size()];
    auto const rest = path.substr(api.size() + 1);
    return minor >= '0' && minor <= '9' &&
           std::ranges::find(token_routes, rest) != token_routes.end();
}

bool is_idempotent(RetryQuestion const& question) {
    if (question.method == "GET" || question.method == "HEAD") {
        return true;
    }
    if (question.method == "PUT" || question.method == "DELETE") {
        return std::ranges::any_of(idempotent_routes, [&](std::string_view route) {
            return question.path.starts_with(route);
        });
    }
    return question.method == "POST" && question.has_idempotency_token &&
           takes_idempotency_token(question.path);
}

bool is_stale_connection(RetryQuestion const& question) {
    return question.status == 0 && question.reused_connection;
}

// A word for what went wrong, if it is something that passes.
std::string_view passing_fault(RetryQuestion const& question) {
    switch (question.status) {
        case 0:
            return is_stale_connection(question) ? "stale_connection"
                   : question.sent_maybe         ? "connection_lost"
                                                 : "unreachable";
        case 429:
            return "rate_limited";
        case 502:
            return "bad_gateway";
        case 503:
            return "unavailable";
        case 504:
            return "gateway_timeout";
        default:
            return {};
    }
}

// Sent away before anything was done. A 503 says so by naming when to come again; without that it
// may come from behind the door.
bool was_refused_at_the_door(RetryQuestion const& question) {
    switch (question.status) {
        case 0:
            return !question.sent_maybe;
        case 429:
            return true;
        case 503:
            return question.server_wait.has_value();
        default:
            return false;
    }
}

Milliseconds scaled(Milliseconds value, double factor) {
    return Milliseconds(static_cast<std::int64_t>(static_cast<double>(value.count()) * factor));
}

Milliseconds wait_before_next(RetryQuestion const& question) {
    if (is_stale_connection(question)) {
        return 0ms;  // nobody is overloaded: it was closed for being idle
    }
    double const dice = question.dice >= 0 && question.dice < 1 ? question.dice : 0.5;
    unsigned const doublings = std::min(std::max(question.attempt, 1U) - 1, 16U);
    Milliseconds const own = std::min(Milliseconds(first_wait * (1 << doublings)), wait_max);
    Milliseconds const jittered = own / 2 + scaled(own / 2, dice);
    if (!question.server_wait) {
        return jittered;
    }
    Milliseconds const asked = std::clamp(*question.server_wait, Milliseconds(0), server_wait_max);
    return std::max(jittered, asked + scaled(std::min(asked / 4, spread_max), dice));
}

std::string_view trimmed(std::string_view text) {
    auto const begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

bool is_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// A whole number; what does not fit is as much as fits.
std::optional<std::int64_t> number_of(std::string_view text) {
    if (!is_digits(text)) {
        return std::nullopt;
    }
    std::int64_t value = 0;
    auto const read = std::from_chars(text.data(), text.data() + text.size(), value);
    return read.ec == std::errc() ? value : INT64_MAX;
}

Milliseconds from_seconds(std::int64_t seconds) {
    constexpr std::int64_t most = Seconds(server_wait_max / 1s).count();
    return Seconds(std::clamp<std::int64_t>(seconds, 0, most));
}

// The parts of a date in any of its three forms: "Sun, 06 Nov 1994 08:49:37 GMT",
// "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994". More parts than the longest form
// has are none.
std::array<std::string_view, 8> date_parts(std::string_view text) {
    std::array<std::string_view, 8> parts;
    for (std::size_t i = 0;; ++i) {
        text.remove_prefix(std::min(text.find_first_not_of(" ,-:"), text.size()));
        if (text.empty()) {
            return parts;
        }
        if (i == parts.size()) {
            return {};
        }
        parts[i] = text.substr(0, text.find_first_of(" ,-:"));
        text.remove_prefix(parts[i].size());
    }
}

std::optional<unsigned> month_of(std::string_view name) {
    static constexpr auto months = std::to_array<std::string_view>(
        {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"});
    auto const found = std::ranges::find(months, name);
    return found == months.end() ? std::nullopt
                                 : std::optional(static_cast<unsigned>(found - months.begin()) + 1);
}

// RFC 9110 section 5.6.7: a year of two digits that seems to be more than 50 years ahead is past.
std::int64_t full_year(std::string_view text, std::int64_t year, Time now) {
    if (text.size() != 2) {
        return year;
    }
    std::chrono::year_month_day const today(std::chrono::floor<std::chrono::days>(now));
    int const this_year = static_cast<int>(today.year());
    std::int64_t const guess = this_year - this_year % 100 + year;
    return guess > this_year + 50 ? guess - 100 : guess;
}

std::optional<Time> http_date_of(std::string_view text, Time now) {
    auto parts = date_parts(text);
    if (parts[7].empty()) {  // asctime() says the month before the day, and the year last
        parts = {parts[0], parts[2], parts[1], parts[6], parts[3], parts[4], parts[5], "GMT"};
    }
    auto const day = number_of(parts[1]);
    auto const month = month_of(parts[2]);
    auto const year = number_of(parts[3]);
    auto const hour = number_of(parts[4]);
    auto const minute = number_of(parts[5]);
    auto const second = number_of(parts[6]);
    if (!day || !month || !year || !hour || !minute || !second || parts[7] != "GMT" || *day > 31 ||
        *year > 9999 || *hour > 23 || *minute > 59 || *second > 60) {
        return std::nullopt;
    }
    std::chrono::year_month_day const date(
        std::chrono::year(static_cast<int>(full_year(parts[3], *year, now))),
        std::chrono::month(*month), std::chrono::day(static_cast<unsigned>(*day)));
    if (!date.ok()) {
        return std::nullopt;
    }
    return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
           Seconds(*second);
}

std::optional<Milliseconds> wait_in_header(std::string_view text, Time now) {
    text = trimmed(text);
    if (auto const seconds = number_of(text)) {
        return from_seconds(*seconds);
    }
    auto const date = http_date_of(text, now);
    if (!date) {
        return std::nullopt;
    }
    return std::clamp(Milliseconds(*date - now), Milliseconds(0), server_wait_max);
}

// "3s", "0.250s": google.protobuf.Duration in JSON, rounded up to milliseconds.
std::optional<Milliseconds> duration_of(std::string_view text) {
    if (!text.ends_with('s')) {
        return std::nullopt;
    }
    text.remove_suffix(1);
    auto const point = text.find('.');
    auto const seconds = number_of(text.substr(0, point));
    if (!seconds) {
        return std::nullopt;
    }
    Milliseconds wait = from_seconds(*seconds);
    if (point != std::string_view::npos) {
        std::string fraction(text.substr(point + 1));
        if (!is_digits(fraction) || fraction.size() > 9) {
            return std::nullopt;
        }
        fraction.resize(9, '0');
        wait += std::chrono::ceil<Milliseconds>(std::chrono::nanoseconds(*number_of(fraction)));
    }
    return std::min(wait, server_wait_max);
}

std::optional<Milliseconds> wait_in_body(std::string_view body) {
    auto const parsed = parse_json(body.substr(0, rejection_body_bytes_max));
    auto const* const object = parsed ? parsed->if_object() : nullptr;
    auto const* const details = object ? array_at(*object, "details") : nullptr;
    if (!details) {
        return std::nullopt;
    }
    for (json::value const& value : *details) {
        auto const* const detail = value.if_object();
        if (detail && string_at(*detail, "@type").value_or("").ends_with("/google.rpc.RetryInfo")) {
            return duration_of(string_at(*detail, "retry_delay").value_or(""));
        }
    }
    return std::nullopt;
}

}  // namespace

RetryDecision RetryPolicy::decide(RetryQuestion const& question) const {
    std::string_view const fault = passing_fault(question);
    if (fault.empty()) {
        return {.reason = "final"};
    }
    Milliseconds const wait = wait_before_next(question);
    auto const none = [&](std::string_view reason) {
        return RetryDecision{.wait = wait, .reason = reason};
    };
    if (!question.replayable) {
        return none("body_gone");
    }
    if (!is_idempotent(question) && !was_refused_at_the_door(question)) {
        return none("maybe_done");
    }
    if (question.attempt >= attempts_max) {
        return none("attempts");
    }
    if (wait > time_max - std::max(question.elapsed, Milliseconds(0))) {
        return none("time");
    }
    return {.retry = true, .wait = wait, .reason = fault};
}

std::optional<Milliseconds> server_wait_of(std::optional<std::string_view> retry_after_header,
                                           std::string_view body_start, Time now) {
    auto const in_header =
        retry_after_header ? wait_in_header(*retry_after_header, now) : std::nullopt;
    auto const in_body = wait_in_body(body_start);
    return std::max(in_header, in_body);  // nothing is less than any wait
}

std::string retry_after_seconds(Milliseconds wait) {
    auto const whole =
        std::chrono::ceil<Seconds>(std::clamp(wait, Milliseconds(0), server_wait_max));
    return std::to_string(std::max<std::int64_t>(whole.count(), 1));
}

bool body_has_idempotency_token(std::string_view json_body) {
    auto const parsed = parse_json(json_body);
    auto const* const object = parsed ? parsed->if_object() : nullptr;
    return object && !string_at(*object, "idempotency_token").value_or("").empty();
}

}  // namespace brickgate
