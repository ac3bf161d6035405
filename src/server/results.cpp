// SPDX-License-Identifier: Apache-2.0
#include "server/results.h"

namespace brickgate {

namespace {

constexpr std::size_t results_max = 10'000;
constexpr Milliseconds life = std::chrono::minutes(10);

}  // namespace

std::string LoginResults::keep(LoginResult result) {
    std::string id = random_.token(16);
    Time const now = clock_.now();
    std::scoped_lock const lock(mutex_);
    while (!order_.empty() && (order_.size() >= results_max || is_over(order_.front(), now))) {
        results_.erase(order_.front());
        order_.pop_front();
    }
    order_.push_back(id);
    results_.emplace(id, Kept{std::move(result), now});
    return id;
}

std::optional<LoginResult> LoginResults::find(std::string const& id) {
    std::scoped_lock const lock(mutex_);
    if (is_over(id, clock_.now())) {
        return std::nullopt;
    }
    return results_.at(id).result;
}

std::size_t LoginResults::size() const {
    std::scoped_lock const lock(mutex_);
    return results_.size();
}

// A clock that was set back makes no result last longer than the others.
bool LoginResults::is_over(std::string const& id, Time now) const {
    auto const found = results_.find(id);
    return found == results_.end() || now < found->second.at || now - found->second.at > life;
}

}  // namespace brickgate
