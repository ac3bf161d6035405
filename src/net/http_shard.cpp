// SPDX-License-Identifier: Apache-2.0
#include <time.h>

#include <boost/asio/redirect_error.hpp>
#include <utility>
#include <vector>

#include "net/address_guard.h"
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

bool ConnectionCount::add(std::string const& address, std::size_t per_address_max) {
    if (!address.empty()) {
        std::scoped_lock const lock(mutex_);
        std::size_t& held = of_subscriber_[subscriber_of(address)];
        if (held >= per_address_max) {
            return false;
        }
        held += 1;
    }
    total_.fetch_add(1);
    return true;
}

void ConnectionCount::remove(std::string const& address) {
    total_.fetch_sub(1);
    if (address.empty()) {
        return;
    }
    std::scoped_lock const lock(mutex_);
    auto const found = of_subscriber_.find(subscriber_of(address));
    if (found != of_subscriber_.end() && --found->second == 0) {
        of_subscriber_.erase(found);
    }
}

Shard::Shard(Executor on, std::shared_ptr<ServerOptions const> server_options,
             Clock const& server_clock, std::shared_ptr<ConnectionCount> all_connections)
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
            session->look_for_client();
        }
    }
}

// An idle connection's deadline is as far away as it was used lately.
bool Shard::shed_longest_idle() {
    Session* oldest = nullptr;
    for (Session* session : sessions) {
        if (session->is_idle() && (!oldest || session->deadline() < oldest->deadline())) {
            oldest = session;
        }
    }
    if (oldest) {
        oldest->close();
    }
    return oldest != nullptr;
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
    connections->remove(session->peer().counted ? session->peer().address : "");
    if (draining && sessions.empty()) {
        empty_gate.cancel();
        sweep_timer.cancel();
    }
}

}  // namespace brickgate
