// SPDX-License-Identifier: Apache-2.0
#pragma once
// Blocking work off the coroutines' threads. A BatchWorker is one named thread that takes
// everything that has queued up and processes it in one go: the store's group commit, the spool's
// sync. A WorkerThread runs single jobs. Coroutines of any executor may call; they resume at home.
// stop() refuses new work, finishes what is queued and joins. Errors: shutting_down,
// store_unavailable (the queue is full).
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "net/bridge.h"

namespace brickgate {

void name_this_thread(std::string const& name);

template <class Request, class Answer>
class BatchWorker {
 public:
    // Gives one answer for each request, in the same order. Runs on the worker's thread; must not
    // throw.
    using Process = std::function<std::vector<Answer>(std::vector<Request>)>;

    BatchWorker(std::string name, std::size_t queue_max, Process process)
        : name_(std::move(name)),
          queue_max_(queue_max),
          process_(std::move(process)),
          thread_([this] { run(); }) {}
    ~BatchWorker() { stop(); }
    BatchWorker(BatchWorker const&) = delete;
    BatchWorker& operator=(BatchWorker const&) = delete;

    Task<Result<Answer>> submit(Request request) {
        auto start = [this, request = std::move(request)](Completion<Result<Answer>> done) mutable {
            enqueue(std::move(request), std::move(done));
        };
        return await_callback<Result<Answer>>(std::move(start));
    }

    void stop() {
        {
            std::lock_guard lock(mutex_);
            closing_ = true;
        }
        wake_.notify_one();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

 private:
    struct Entry {
        Request request;
        Completion<Result<Answer>> done;
    };

    void enqueue(Request request, Completion<Result<Answer>> done) {
        std::optional<Error> refused;
        {
            std::lock_guard lock(mutex_);
            if (closing_) {
                refused.emplace(ErrorCode::shutting_down,
                                "The " + name_ + " worker is shutting down.");
            } else if (queue_.size() >= queue_max_) {
                refused.emplace(ErrorCode::store_unavailable,
                                "The queue of the " + name_ + " worker is full.");
            } else {
                queue_.push_back({std::move(request), std::move(done)});
            }
        }
        if (refused) {
            done(std::unexpected(std::move(*refused)));
        } else {
            wake_.notify_one();
        }
    }

    void run() {
        name_this_thread(name_);
        for (;;) {
            std::vector<Entry> batch;
            {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, [this] { return closing_ || !queue_.empty(); });
                if (queue_.empty()) {
                    return;
                }
                batch.swap(queue_);
            }
            std::vector<Request> requests;
            requests.reserve(batch.size());
            for (Entry& entry : batch) {
                requests.push_back(std::move(entry.request));
            }
            std::vector<Answer> answers = process_(std::move(requests));
            for (std::size_t i = 0; i < batch.size(); ++i) {
                batch[i].done(std::move(answers.at(i)));
            }
        }
    }

    std::string name_;
    std::size_t queue_max_;
    Process process_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<Entry> queue_;
    bool closing_ = false;
    std::thread thread_;
};

class WorkerThread {
 public:
    explicit WorkerThread(std::string name, std::size_t queue_max = 4096);

    // f() runs on the worker and returns a Result<T>.
    template <class F, class R = std::invoke_result_t<F&>>
    Task<R> run(F f) {
        auto out = std::make_shared<std::optional<R>>();
        Job job = [out, f = std::move(f)]() mutable { out->emplace(f()); };
        auto ran = co_await worker_.submit(std::move(job));
        if (!ran) {
            co_return R(std::unexpected(std::move(ran.error())));
        }
        co_return std::move(**out);
    }
    void stop() { worker_.stop(); }

 private:
    using Job = std::move_only_function<void()>;
    struct Done {};
    static std::vector<Done> run_all(std::vector<Job> jobs);
    BatchWorker<Job, Done> worker_;
};

}  // namespace brickgate
