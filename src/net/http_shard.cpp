// SPDX-License-Identifier: Apache-2.0
#include <time.h>

#include <boost/asio/redirect_error.hpp>
#include <utility>
#include <vector>

#include "net/http_session.h"

namespace brickgate {

namespace {

// RFC 9110 section 5.6.7; not strftime, which speaks the locale's language.
std::string http_date(Time time) {
    static constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t const seconds = static_cast<time_t>(to_ms(time) / 1000);
    tm utc{};
    gmtime_r(&seconds, &utc);
    return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
                       days.at(static_cast<std::size_t>(utc.tm_wday)), utc.tm_mday,
                       months.at(static_cast<std::size_t>(utc.tm_mon)), utc.tm_year + 1900,
                       utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace

Shard::Shard(Executor on, std::shared_ptr<ServerOptions const> server_options,
             Clock const& server_clock, std::shared_ptr<std::atomic<std::size_t>> all_connections)
    : executor(on),
      options(std::move(server_options)),
      clock(server_clock),
      connections(std::move(all_connections)),
      sweep_timer(on),
      empty_gate(on) {
    refresh_date();
}

void Shard::refresh_date() {
    constant_lines = "Date: " + http_date(clock.now()) + "\r\n" + options->constant_lines;
}

Task<void> Shard::sweep() {
    auto const self = shared_from_this();
    boost::system::error_code ec;
    while (!draining || !sessions.empty()) {
        sweep_timer.expires_after(std::chrono::seconds(1));
        co_await sweep_timer.async_wait(boost::asio::redirect_error(use_task, ec));
        second += 1;
        refresh_date();
        for (Session* session : sessions) {
            refused.fetch_add(session->expire() ? 1 : 0, std::memory_order_relaxed);
        }
    }
}

Task<void> Shard::begin_drain() {
    draining = true;
    sweep_timer.cancel();
    for (Session* session : sessions) {
        if (session->is_idle()) {
            session->close();
        }
    }
    co_return;
}

Task<void> Shard::finish_drain(SteadyTimer::time_point deadline) {
    boost::system::error_code ec;
    if (!sessions.empty()) {
        empty_gate.expires_at(deadline);
        co_await empty_gate.async_wait(boost::asio::redirect_error(use_task, ec));
    }
    for (Session* session : sessions) {
        session->close();
    }
}

void Shard::session_ended(Session* session) {
    sessions.erase(session);
    connections->fetch_sub(1);
    if (draining && sessions.empty()) {
        empty_gate.cancel();
        sweep_timer.cancel();
    }
}

}  // namespace brickgate
