// SPDX-License-Identifier: Apache-2.0
#include "sandbox/settings.h"

#include <algorithm>
#include <vector>

#include "base/json.h"

namespace brickgate::sandbox {

namespace {

constexpr std::int64_t seconds_max = 10LL * 365 * 24 * 3600;

struct TextSetting {
    std::string_view name;
    std::string Settings::* member;
    std::vector<std::string_view> allowed;
};
struct TimeSetting {
    std::string_view name;
    Seconds Settings::* member;
};

std::vector<TextSetting> const& text_settings() {
    static std::vector<TextSetting> const table{
        {"refresh_mode", &Settings::refresh_mode, {"reusable", "grace", "strict", "revoke"}},
        {"iss_in_callback", &Settings::iss_in_callback, {"none", "right", "wrong", "promised"}},
        {"issue",
         &Settings::issue,
         {"all", "no_nonce", "wrong_nonce", "no_id_token", "no_refresh_token"}},
        {"id_token",
         &Settings::id_token,
         {"good",        "alg_none",    "alg_missing", "hs256",     "es256",   "bad_signature",
          "no_kid",      "unknown_kid", "crit",        "wrong_iss", "no_iss",  "wrong_aud",
          "no_aud",      "aud_list",    "second_aud",  "wrong_azp", "no_sub",  "other_sub",
          "no_iat",      "old_iat",     "future_iat",  "no_exp",    "expired", "at_hash",
          "bad_at_hash", "too_large",   "malformed"}},
        {"scope", &Settings::scope, {"asked", "extra", "fewer"}},
        {"dead_token_error", &Settings::dead_token_error, {"invalid_grant", "invalid_request"}},
        {"expired_answer",
         &Settings::expired_answer,
         {"forbidden", "unauthorized", "bad_request"}}};
    return table;
}

std::vector<TimeSetting> const& time_settings() {
    static std::vector<TimeSetting> const table{{"access_ttl", &Settings::access_ttl},
                                                {"refresh_ttl", &Settings::refresh_ttl},
                                                {"session_ttl", &Settings::session_ttl},
                                                {"grace", &Settings::grace},
                                                {"early_rejection", &Settings::early_rejection}};
    return table;
}

std::optional<std::string> apply_one(Settings& settings, std::string_view name,
                                     json::value const& value) {
    if (name == "legacy_paths" && value.is_bool()) {
        settings.legacy_paths = value.get_bool();
        return std::nullopt;
    }
    auto const text = std::ranges::find(text_settings(), name, &TextSetting::name);
    if (text != text_settings().end() && value.is_string()) {
        std::string_view const wanted = value.get_string();
        if (std::ranges::find(text->allowed, wanted) == text->allowed.end()) {
            std::string complaint = std::string(name) + " is one of";
            for (auto const allowed : text->allowed) {
                complaint += ' ' + std::string(allowed);
            }
            return complaint;
        }
        settings.*(text->member) = wanted;
        return std::nullopt;
    }
    auto const time = std::ranges::find(time_settings(), name, &TimeSetting::name);
    if (time != time_settings().end() && value.is_int64()) {
        if (value.get_int64() < 0 || value.get_int64() > seconds_max) {
            return std::string(name) + " is a number of seconds, ten years at most";
        }
        settings.*(time->member) = Seconds(value.get_int64());
        return std::nullopt;
    }
    return "no such setting, or a value of the wrong kind: " + std::string(name);
}

}  // namespace

std::optional<std::string> apply(Settings& settings, json::object const& change) {
    Settings changed = settings;
    for (auto const& [key, value] : change) {
        auto const complaint = apply_one(changed, {key.data(), key.size()}, value);
        if (complaint) {
            return complaint;
        }
    }
    settings = std::move(changed);
    return std::nullopt;
}

json::object to_json(Settings const& settings) {
    json::object out;
    for (auto const& text : text_settings()) {
        out[text.name] = settings.*(text.member);
    }
    for (auto const& time : time_settings()) {
        out[time.name] = (settings.*(time.member)).count();
    }
    out["legacy_paths"] = settings.legacy_paths;
    return out;
}

}  // namespace brickgate::sandbox
