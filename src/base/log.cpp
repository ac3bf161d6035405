// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "base/encoding.h"

namespace brickgate {

namespace {

struct State {
    std::shared_ptr<spdlog::logger> logger;
    bool json = true;
};

std::shared_ptr<spdlog::logger> make_logger() {
    auto logger = std::make_shared<spdlog::logger>(
        "brickgate", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%v");
    return logger;
}

State& state() {
    static State the_state{make_logger(), true};
    return the_state;
}

spdlog::level::level_enum level_of(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return spdlog::level::debug;
        case LogLevel::info:
            return spdlog::level::info;
        case LogLevel::warning:
            return spdlog::level::warn;
        case LogLevel::error:
            return spdlog::level::err;
    }
    return spdlog::level::info;
}

std::string_view name_of(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return "debug";
        case LogLevel::info:
            return "info";
        case LogLevel::warning:
            return "warning";
        case LogLevel::error:
            return "error";
    }
    return "info";
}

// JSON escapes control characters by itself, but not what is no UTF-8.
std::string for_json(std::string_view text) {
    return redact(is_valid_utf8(text) ? std::string(text) : clean_text(text, text.size()));
}

std::string as_json(LogLevel level, std::string_view event, std::string_view message,
                    std::initializer_list<LogField> fields) {
    boost::json::object line;
    spdlog::details::log_msg const now(spdlog::source_loc{}, "", spdlog::level::info, "");
    line["time_ms"] =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time.time_since_epoch()).count();
    line["level"] = name_of(level);
    line["event"] = event;
    line["message"] = for_json(message);
    for (auto const& field : fields) {
        std::visit(
            [&](auto const& value) {
                if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
                    line[field.name()] = for_json(value);
                } else {
                    line[field.name()] = value;
                }
            },
            field.value());
    }
    return boost::json::serialize(line);
}

std::string as_text(LogLevel level, std::string_view message,
                    std::initializer_list<LogField> fields) {
    std::string line = fmt::format("{:<7} {}", name_of(level), redact(message));
    for (auto const& field : fields) {
        std::visit(
            [&](auto const& value) {
                if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
                    if (!value.empty()) {
                        line += fmt::format("  {}={}", field.name(), redact(value));
                    }
                } else {
                    line += fmt::format("  {}={}", field.name(), value);
                }
            },
            field.value());
    }
    for (char& c : line) {
        if (static_cast<unsigned char>(c) < 0x20) {
            c = ' ';  // one event, one line
        }
    }
    return clean_text(line, line.size());  // no bidi control turns it around on a terminal
}

}  // namespace

void set_up_log(LogLevel level, LogFormat format) {
    auto& log_state = state();
    log_state.logger->set_level(level_of(level));
    log_state.logger->flush_on(spdlog::level::debug);
    log_state.json =
        format == LogFormat::json || (format == LogFormat::automatic && isatty(STDERR_FILENO) == 0);
}

void log(LogLevel level, std::string_view event, std::string_view message,
         std::initializer_list<LogField> fields) {
    auto& log_state = state();
    if (!log_state.logger->should_log(level_of(level))) {
        return;
    }
    std::string const line =
        log_state.json ? as_json(level, event, message, fields) : as_text(level, message, fields);
    log_state.logger->log(level_of(level), "{}", line);
}

}  // namespace brickgate
