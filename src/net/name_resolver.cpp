// SPDX-License-Identifier: Apache-2.0
#include "net/name_resolver.h"

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "net/bridge.h"
#include "net/worker_thread.h"

namespace brickgate {

namespace {

using namespace std::chrono_literals;
constexpr Milliseconds answer_kept = 30s;  // short: workspaces move between addresses
constexpr Milliseconds failure_kept = 5s;  // T36
constexpr std::size_t lookups_max = 32;    // each is a thread while it lasts
constexpr std::size_t names_max = 4096;

using Answer = Result<std::vector<IpAddress>>;

Answer look_up(std::string const& host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) {
        return fail(ErrorCode::upstream_unreachable, "The workspace's name cannot be resolved.");
    }
    std::vector<IpAddress> out;
    for (addrinfo const* item = found; item != nullptr; item = item->ai_next) {
        auto const address = IpAddress::from(item->ai_addr);
        if (address && std::ranges::find(out, *address) == out.end()) {
            out.push_back(*address);
        }
    }
    freeaddrinfo(found);
    if (out.empty()) {
        return fail(ErrorCode::upstream_unreachable, "The workspace's name has no address.");
    }
    return out;
}

}  // namespace

struct NameResolver::State {
    explicit State(Clock const& the_clock) : clock(the_clock) {}

    struct Name {
        std::optional<Answer> answer;
        Instant until{};
        std::vector<Completion<Answer>> waiting;
        bool under_way = false;
    };
    Clock const& clock;
    std::mutex mutex;
    std::unordered_map<std::string, Name> names;
    std::size_t lookups = 0;
    bool closing = false;
};

namespace {

// On a thread of its own, which no shutdown waits for: getaddrinfo cannot be called off.
template <class State>
void run_lookup(std::shared_ptr<State> state, std::string host) {
    name_this_thread("resolver");
    Answer answer = look_up(host);
    std::vector<Completion<Answer>> waiting;
    {
        std::scoped_lock const lock(state->mutex);
        state->lookups -= 1;
        if (state->closing) {
            return;  // nobody waits any more, and the clock may be gone
        }
        auto& name = state->names[host];
        name.under_way = false;
        name.until = state->clock.steady() + (answer ? answer_kept : failure_kept);
        name.answer = answer;
        waiting.swap(name.waiting);
    }
    for (auto& done : waiting) {
        done(answer);
    }
}

}  // namespace

NameResolver::NameResolver(Clock const& clock) : state_(std::make_shared<State>(clock)) {}

NameResolver::~NameResolver() {
    std::vector<Completion<Answer>> waiting;
    {
        std::scoped_lock const lock(state_->mutex);
        state_->closing = true;
        for (auto& [host, name] : state_->names) {
            std::ranges::move(name.waiting, std::back_inserter(waiting));
            name.waiting.clear();
        }
    }
    for (auto& done : waiting) {
        done(fail(ErrorCode::shutting_down, "The gateway is stopping."));
    }
}

Task<Result<std::vector<IpAddress>>> NameResolver::resolve(std::string host) {
    if (auto const literal = IpAddress::parse(host)) {
        co_return std::vector{*literal};
    }
    auto const state = state_;
    auto start = [state, host](Completion<Answer> done) {
        std::optional<Answer> known;
        {
            std::scoped_lock const lock(state->mutex);
            Instant const now = state->clock.steady();
            if (state->names.size() >= names_max) {
                std::erase_if(state->names, [&](auto const& entry) {
                    return !entry.second.under_way && entry.second.until <= now;
                });
            }
            auto& name = state->names[host];
            if (name.answer && now < name.until) {
                known = name.answer;
            } else if (!name.under_way && state->lookups >= lookups_max) {
                known = fail(ErrorCode::upstream_timeout, "Too many names hang in the resolver.");
            } else {
                name.waiting.push_back(std::move(done));
                if (!std::exchange(name.under_way, true)) {
                    state->lookups += 1;
                    std::thread(run_lookup<State>, state, host).detach();
                }
            }
        }
        if (known) {
            done(std::move(*known));
        }
    };
    co_return co_await await_callback<Answer>(std::move(start));
}

}  // namespace brickgate
