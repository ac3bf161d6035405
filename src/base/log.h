// SPDX-License-Identifier: Apache-2.0
#pragma once
// Structured log events. A field is text, a number or a flag; a Secret is none of these, so it
// cannot be logged. Text goes through redact(), which blanks what looks like a token even where
// somebody else's words carry it (T64). log() is thread safe.
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace brickgate {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

class LogField {
 public:
    LogField(std::string_view name, std::string_view value)
        : name_(name), value_(std::string(value)) {}
    LogField(std::string_view name, char const* value) : LogField(name, std::string_view(value)) {}
    LogField(std::string_view name, std::string const& value)
        : LogField(name, std::string_view(value)) {}
    LogField(std::string_view name, bool value) : name_(name), value_(value) {}
    LogField(std::string_view name, std::integral auto value)
        requires(!std::same_as<decltype(value), bool>)
        : name_(name), value_(static_cast<std::int64_t>(value)) {}
    std::string_view name() const { return name_; }
    std::variant<std::string, std::int64_t, bool> const& value() const { return value_; }

 private:
    std::string_view name_;
    std::variant<std::string, std::int64_t, bool> value_;
};

enum class LogFormat : std::uint8_t { automatic, human, json };

// Call once at start. automatic: human on a terminal, JSON otherwise. Writes to standard error.
void set_up_log(LogLevel level, LogFormat format);
// `event` is a stable snake_case name; `message` is a sentence.
void log(LogLevel level, std::string_view event, std::string_view message,
         std::initializer_list<LogField> fields = {});
std::string redact(std::string_view text);

}  // namespace brickgate
