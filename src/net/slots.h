// SPDX-License-Identifier: Apache-2.0
#pragma once
// A bounded number of places for work on one executor: take() waits for one in order of arrival.
// Not thread safe; everything about one Slots happens on its executor.

#include <boost/asio/redirect_error.hpp>
#include <deque>
#include <memory>

#include "net/task.h"

namespace brickgate {

class Slots {
 public:
    explicit Slots(std::size_t count) : free_(count) {}

    // A place, given back when the last copy goes.
    using Place = std::shared_ptr<void>;
    Task<Place> take() {
        if (free_ == 0 || !waiting_.empty()) {
            auto const executor = co_await boost::asio::this_coro::executor;
            auto turn = std::make_shared<SteadyTimer>(executor, SteadyTimer::time_point::max());
            waiting_.push_back(turn);
            boost::system::error_code ignored;
            co_await turn->async_wait(boost::asio::redirect_error(use_task, ignored));
            // give() counted this place as ours before it woke us.
        } else {
            free_ -= 1;
        }
        co_return Place(static_cast<void*>(this), [this](void*) { give(); });
    }

 private:
    void give() {
        if (waiting_.empty()) {
            free_ += 1;
            return;
        }
        auto const next = waiting_.front();
        waiting_.pop_front();
        next->cancel();
    }

    std::size_t free_;
    std::deque<std::shared_ptr<SteadyTimer>> waiting_;
};

}  // namespace brickgate
