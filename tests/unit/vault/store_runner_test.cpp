// SPDX-License-Identifier: Apache-2.0
#include "vault/store_runner.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <condition_variable>
#include <mutex>

#include "support/run_task.h"
#include "vault/memory_store.h"

namespace brickgate::testing {
namespace {

// Counts commits, and can hold one up.
class WatchedStore final : public Store {
 public:
    std::vector<Result<void>> transact(std::span<StoreJob const> jobs) override {
        std::unique_lock lock(mutex_);
        batches.push_back(jobs.size());
        changed_.notify_all();
        changed_.wait(lock, [this] { return !held_; });
        return store_.transact(jobs);
    }
    void hold() { held_ = true; }
    void wait_for_commit() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !batches.empty(); });
    }
    void go_on() {
        std::scoped_lock const lock(mutex_);
        held_ = false;
        changed_.notify_all();
    }
    MemoryRows& rows() { return store_.rows(); }

    std::vector<std::size_t> batches;

 private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool held_ = false;
    MemoryStore store_;
};

StoreJob put(std::string const& name) {
    return [name](StoreTransaction& rows) { return rows.put_meta(name, "here"); };
}

Task<void> run_into(StoreRunner& runner, StoreJob job, Result<void>& out) {
    out = co_await runner.run(std::move(job));
}

TEST(ThreadedStoreRunner, what_waits_is_committed_as_one_and_fails_alone) {
    WatchedStore store;
    ThreadedStoreRunner runner(store);
    boost::asio::io_context context(1);
    std::vector<Result<void>> results(12, fail(ErrorCode::internal, "not run"));
    auto const start = [&](std::size_t i, StoreJob job) {
        boost::asio::co_spawn(context, run_into(runner, std::move(job), results[i]),
                              boost::asio::detached);
    };
    store.hold();
    start(0, put("0"));
    context.poll();
    store.wait_for_commit();
    for (std::size_t i = 1; i < results.size(); ++i) {
        start(i, i == 5 ? StoreJob([](StoreTransaction& rows) -> Result<void> {
                  (void)rows.put_meta("5", "here");
                  return fail(ErrorCode::store_conflict, "no");
              })
                        : put(std::to_string(i)));
    }
    context.poll();
    store.go_on();
    context.run();
    EXPECT_EQ(store.batches, (std::vector<std::size_t>{1, 11}));
    for (std::size_t i = 0; i < results.size(); ++i) {
        EXPECT_EQ(results[i].has_value(), i != 5) << i;
        EXPECT_EQ(store.rows().meta.contains(std::to_string(i)), i != 5) << i;
    }
    EXPECT_EQ(results[5].error().code(), ErrorCode::store_conflict);
}

TEST(ThreadedStoreRunner, a_stopped_one_refuses_and_loses_nothing) {
    WatchedStore store;
    ThreadedStoreRunner runner(store);
    EXPECT_TRUE(run_task(runner.run(put("1"))));
    runner.stop();
    auto const refused = run_task(runner.run(put("2")));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::shutting_down);
    EXPECT_TRUE(store.rows().meta.contains("1"));
    EXPECT_FALSE(store.rows().meta.contains("2"));
}

TEST(InlineStoreRunner, runs_at_once) {
    MemoryStore store;
    InlineStoreRunner runner(store);
    EXPECT_TRUE(run_task(runner.run(put("1"))));
    EXPECT_TRUE(store.rows().meta.contains("1"));
}

}  // namespace
}  // namespace brickgate::testing
