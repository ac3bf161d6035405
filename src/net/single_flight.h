// SPDX-License-Identifier: Apache-2.0
#pragma once
// Many callers, one piece of work. The first caller of a key starts it, the others wait for the
// same result. The work belongs to the flight: callers only wait, and one that leaves (cancelled)
// cancels nothing. For one executor; T is copied to each caller, so it is a value or a shared_ptr.
#include <boost/asio/redirect_error.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "net/task_group.h"

namespace brickgate {

template <class Key, class T, class Hash = std::hash<Key>>
class SingleFlight {
 public:
    using Work = std::function<Task<T>()>;

    // `work` is called only if no flight of this key is in the air.
    Task<T> join(Key key, Work work) {
        Executor executor = co_await boost::asio::this_coro::executor;
        std::shared_ptr<Flight> flight;
        if (auto found = flights_->find(key); found != flights_->end()) {
            flight = found->second;
        } else {
            flight = std::make_shared<Flight>(executor);
            flights_->emplace(key, flight);
            spawn(executor, fly(flights_, std::move(key), flight, std::move(work)));
        }
        boost::system::error_code ignored;
        if (!flight->landed()) {
            co_await flight->gate.async_wait(boost::asio::redirect_error(use_task, ignored));
        }
        if (!flight->landed()) {
            throw boost::system::system_error(boost::asio::error::operation_aborted);
        }
        if (flight->thrown) {
            std::rethrow_exception(flight->thrown);
        }
        co_return *flight->result;
    }

    std::size_t in_the_air() const { return flights_->size(); }
    bool is_in_the_air(Key const& key) const { return flights_->contains(key); }

 private:
    struct Flight {
        explicit Flight(Executor executor) : gate(executor, SteadyTimer::time_point::max()) {}
        bool landed() const { return result.has_value() || thrown; }
        SteadyTimer gate;  // never expires; cancelled when the result is there
        std::optional<T> result;
        std::exception_ptr thrown;
    };
    using Flights = std::unordered_map<Key, std::shared_ptr<Flight>, Hash>;

    static Task<void> fly(std::shared_ptr<Flights> flights, Key key, std::shared_ptr<Flight> flight,
                          Work work) {
        try {
            flight->result.emplace(co_await work());
        } catch (...) {
            flight->thrown = std::current_exception();
        }
        flights->erase(key);
        flight->gate.cancel();
    }

    std::shared_ptr<Flights> flights_ = std::make_shared<Flights>();
};

}  // namespace brickgate
