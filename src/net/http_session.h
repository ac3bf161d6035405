// SPDX-License-Identifier: Apache-2.0
#pragma once
// One connection of the HTTP server, and the shard it lives on: what one worker executor owns. A
// shard is touched by its own thread only; its counters are read by others. Inside net/ only.
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "net/http_server.h"
#include "net/input_buffer.h"
#include "net/request_parser.h"
#include "net/wire.h"

namespace brickgate {

class Session;
class SessionExchange;

// Who is connected, over all shards; any thread.
class ConnectionCount {
 public:
    // False: this address, or its /64, has as many as it may (T50).
    bool add(std::string const& address, std::size_t per_address_max);
    void remove(std::string const& address);
    std::size_t total() const { return total_.load(std::memory_order_relaxed); }

 private:
    std::atomic<std::size_t> total_{0};
    std::mutex mutex_;
    std::unordered_map<std::string, std::size_t> of_subscriber_;  // only where they are counted
};

struct Shard : std::enable_shared_from_this<Shard> {
    Shard(Executor executor, std::shared_ptr<ServerOptions const> options, Clock const& clock,
          std::shared_ptr<ConnectionCount> connections);

    // Once a second, until draining and empty: ends who is too slow or idle too long.
    Task<void> sweep();
    Task<void> begin_drain();
    Task<void> finish_drain(SteadyTimer::time_point deadline);
    void session_ended(Session* session);
    bool shed_longest_idle();  // false: none is idle

    Executor executor;
    std::shared_ptr<ServerOptions const> options;
    Clock const& clock;
    std::shared_ptr<ConnectionCount> connections;  // of all shards
    std::unordered_set<Session*> sessions;
    std::string constant_lines;  // Date and the options' lines
    std::int64_t second = 0;     // counted by the sweep
    bool draining = false;
    SteadyTimer sweep_timer;
    SteadyTimer empty_gate;
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> refused{0};

 private:
    void refresh_date();
};

class Session : public std::enable_shared_from_this<Session> {
 public:
    struct Peer {
        std::string address;
        std::uint16_t port = 0;
        ListenerKind listener = ListenerKind::both;
        std::optional<std::uint32_t> uid;
        std::shared_ptr<SSL_CTX> tls;  // nullptr: plain
        bool counted = false;          // towards its address's share
    };
    Session(StreamSocket socket, std::shared_ptr<Shard> shard, Peer peer);
    ~Session();

    static Task<void> run(std::shared_ptr<Session> self);
    void close();
    bool is_idle() const { return phase_ == Phase::idle; }
    std::int64_t deadline() const { return deadline_; }
    Peer const& peer() const { return peer_; }
    // Closes if the time is up; true where that is the client's fault.
    bool expire();
    void look_for_client();

 private:
    friend class SessionExchange;
    enum class Phase : std::uint8_t { idle, reading, handling, writing, lingering };
    enum class Written : std::uint8_t { all, blocked, failed };

    Task<bool> begin_tls();
    Task<void> serve();
    Task<bool> serve_stream();
    Task<bool> read_more();
    Task<bool> flush();
    Task<void> linger();
    Task<ServerResponse> handle();
    bool answer_fast();
    Written write_now();
    void answer(ServerResponse const& response);
    Task<void> send_raw(std::shared_ptr<RawAnswer const> raw);
    void refuse(ErrorCode code);
    ServerResponse told(ServerRequest const& request, Error const& error) const;
    void next_request();
    void await_request();
    void give(Phase phase, Seconds time);
    void suspend_deadline();  // what we wait for is not the client's to hurry
    ResponseBuffer::Framing framing() const;

    Wire wire_;
    std::shared_ptr<Shard> shard_;
    Peer peer_;
    ServerRequest request_;
    InputBuffer in_;
    std::string out_;
    std::size_t written_ = 0;  // of out_
    std::optional<RequestParser> parser_;
    SessionExchange* exchange_ = nullptr;  // of the request that streams
    std::int64_t deadline_ = 0;            // in Shard::second
    Phase phase_ = Phase::idle;
    bool keep_alive_ = true;
    bool continued_ = false;  // "100 Continue" was sent for this request
};

}  // namespace brickgate
