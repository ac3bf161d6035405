// SPDX-License-Identifier: Apache-2.0
#include "net/curl_client.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "net/curl_transfer.h"
#include "net/worker_thread.h"

namespace brickgate {

namespace {

constexpr int look_around_ms =
    200;  // how late a request that waits for a free place may be given up
constexpr Milliseconds unresolved_for = std::chrono::seconds(5);  // T36
constexpr std::size_t unresolved_max = 1000;                      // names; the oldest go first

void set_up_libcurl() {
    static bool const once = [] {
        // OpenSSL's key log would write the keys of every connection to a file (T31).
        unsetenv("SSLKEYLOGFILE");
        signal(SIGPIPE, SIG_IGN);
        return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    }();
    (void)once;
}

}  // namespace

struct CurlClient::State {
    State(CurlOptions wanted, Clock const& the_clock)
        : options(std::move(wanted)),
          clock(the_clock),
          multi(curl_multi_init()),
          thread([this] { run(); }) {}
    ~State();

    void enqueue(HttpRequest request, HttpLimits limits, Completion<HttpAnswer> done);

 private:
    void run();
    void take_new();
    void start_waiting();
    void start(std::unique_ptr<Transfer> transfer);
    void collect();
    void end_all();
    bool is_unresolved(std::string const& host_key);
    void note_unresolved(std::string const& host_key);

    CurlOptions const options;
    Clock const& clock;
    CURLM* const multi;

    std::mutex mutex;
    std::deque<std::unique_ptr<Transfer>> incoming;  // under the mutex
    std::size_t known = 0;                           // under the mutex: queued and under way
    bool closing = false;                            // under the mutex

    std::list<std::unique_ptr<Transfer>> waiting;  // the thread's
    std::map<CURL*, std::unique_ptr<Transfer>> under_way;
    std::map<std::string, std::size_t> per_host;
    std::map<std::string, Instant> unresolved;  // until when a name is not asked for again

    std::thread thread;
};

CurlClient::State::~State() {
    {
        std::lock_guard lock(mutex);
        closing = true;
    }
    curl_multi_wakeup(multi);
    thread.join();
    curl_multi_cleanup(multi);
}

void CurlClient::State::enqueue(HttpRequest request, HttpLimits limits,
                                Completion<HttpAnswer> done) {
    auto transfer = std::make_unique<Transfer>(std::move(request), std::move(limits),
                                               std::move(done), options, clock);
    std::optional<Error> refused;
    {
        std::lock_guard lock(mutex);
        if (closing) {
            refused.emplace(ErrorCode::shutting_down, "Brickgate is shutting down.");
        } else if (known >= options.queue_max) {
            refused.emplace(ErrorCode::rate_limited, "Too many outbound requests wait already.");
        } else {
            known += 1;
            incoming.push_back(std::move(transfer));
        }
    }
    if (refused) {
        transfer->fail_unsent(std::move(*refused));
    } else {
        curl_multi_wakeup(multi);
    }
}

void CurlClient::State::run() {
    name_this_thread("bg-curl");
    for (;;) {
        take_new();
        {
            std::lock_guard lock(mutex);
            if (closing) {
                break;
            }
        }
        start_waiting();
        int running = 0;
        curl_multi_perform(multi, &running);
        collect();
        curl_multi_poll(multi, nullptr, 0, waiting.empty() ? 1000 : look_around_ms, nullptr);
    }
    end_all();
}

void CurlClient::State::take_new() {
    std::lock_guard lock(mutex);
    for (auto& transfer : incoming) {
        waiting.push_back(std::move(transfer));
    }
    incoming.clear();
}

void CurlClient::State::start_waiting() {
    for (auto it = waiting.begin(); it != waiting.end();) {
        if ((*it)->is_overdue()) {
            (*it)->fail_unsent(
                Error(ErrorCode::upstream_timeout,
                      (*it)->host_key() + ": earlier requests did not end in time."));
            it = waiting.erase(it);
            std::lock_guard lock(mutex);
            known -= 1;
            continue;
        }
        bool const room = under_way.size() < options.in_flight_max &&
                          per_host[(*it)->host_key()] < options.in_flight_per_host_max;
        if (!room) {
            ++it;
            continue;
        }
        auto transfer = std::move(*it);
        it = waiting.erase(it);
        start(std::move(transfer));
    }
    std::erase_if(per_host, [](auto const& entry) { return entry.second == 0; });
}

// A name that does not resolve is not asked for again at once: a resolver that has lost its way
// upstream answers slowly, and every question holds one of its threads (T36).
bool CurlClient::State::is_unresolved(std::string const& host_key) {
    auto const found = unresolved.find(host_key);
    if (found == unresolved.end()) {
        return false;
    }
    if (clock.steady() < found->second) {
        return true;
    }
    unresolved.erase(found);
    return false;
}

void CurlClient::State::note_unresolved(std::string const& host_key) {
    if (unresolved.size() >= unresolved_max) {
        unresolved.erase(std::ranges::min_element(unresolved, {},
                                                  [](auto const& entry) { return entry.second; }));
    }
    unresolved[host_key] = clock.steady() + unresolved_for;
}

void CurlClient::State::start(std::unique_ptr<Transfer> transfer) {
    if (is_unresolved(transfer->host_key())) {
        transfer->fail_unsent(
            Error(ErrorCode::upstream_unreachable,
                  "The name of " + transfer->host_key() + " did not resolve seconds ago."));
        std::lock_guard lock(mutex);
        known -= 1;
        return;
    }
    auto const easy = transfer->start();
    if (!easy) {
        transfer->fail_unsent(easy.error());
        std::lock_guard lock(mutex);
        known -= 1;
        return;
    }
    per_host[transfer->host_key()] += 1;
    curl_multi_add_handle(multi, *easy);
    under_way.emplace(*easy, std::move(transfer));
}

void CurlClient::State::collect() {
    int left = 0;
    while (CURLMsg const* message = curl_multi_info_read(multi, &left)) {
        CURL* const easy = message->easy_handle;
        CURLcode const code = message->data.result;
        auto const found = under_way.find(easy);
        if (code == CURLE_COULDNT_RESOLVE_HOST) {
            note_unresolved(found->second->host_key());
        }
        found->second->finish(code);
        curl_multi_remove_handle(multi, easy);
        per_host[found->second->host_key()] -= 1;
        under_way.erase(found);
        std::lock_guard lock(mutex);
        known -= 1;
    }
}

void CurlClient::State::end_all() {
    take_new();
    Error const reason(ErrorCode::shutting_down, "Brickgate is shutting down.");
    for (auto& transfer : waiting) {
        transfer->fail_unsent(reason);
    }
    waiting.clear();
    for (auto& [easy, transfer] : under_way) {
        curl_multi_remove_handle(multi, easy);
        transfer->abort(reason);
    }
    under_way.clear();
}

CurlClient::CurlClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
CurlClient::~CurlClient() = default;

Result<std::unique_ptr<CurlClient>> CurlClient::create(CurlOptions options, Clock const& clock) {
    if (!options.ca_file.empty() && access(options.ca_file.c_str(), R_OK) != 0) {
        return fail(ErrorCode::config_invalid,
                    "The CA file " + options.ca_file + " cannot be read (tls.ca_file).");
    }
    if (!options.proxy.empty() && !options.proxy.starts_with("http://")) {
        return fail(ErrorCode::config_invalid, "tls.proxy must be http://HOST:PORT.");
    }
    set_up_libcurl();
    auto state = std::make_unique<State>(std::move(options), clock);
    return std::unique_ptr<CurlClient>(new CurlClient(std::move(state)));
}

Task<HttpAnswer> CurlClient::send(HttpRequest request, HttpLimits limits) {
    auto start = [state = state_.get(), request = std::move(request),
                  limits = std::move(limits)](Completion<HttpAnswer> done) mutable {
        state->enqueue(std::move(request), std::move(limits), std::move(done));
    };
    return await_callback<HttpAnswer>(std::move(start));
}

}  // namespace brickgate
