// SPDX-License-Identifier: Apache-2.0
#include "server/results.h"

namespace brickgate {

namespace {

constexpr std::size_t results_max = 10'000;
constexpr Milliseconds life = std::chrono::minutes(10);

}  // namespace

std::string LoginResults::keep(LoginResult result) {
    std::string id = random_.token(16);
    std::scoped_lock const lock(mutex_);
    if (order_.size() >= results_max) {
        results_.erase(order_.front());
        order_.pop_front();
    }
    order_.push_back(id);
    results_.emplace(id, Kept{std::move(result), clock_.now()});
    return id;
}

std::optional<LoginResult> LoginResults::find(std::string const& id) {
    std::scoped_lock const lock(mutex_);
    auto const found = results_.find(id);
    if (found == results_.end() || clock_.now() - found->second.at > life) {
        return std::nullopt;
    }
    return found->second.result;
}

}  // namespace brickgate
