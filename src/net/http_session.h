// SPDX-License-Identifier: Apache-2.0
#pragma once
// One connection of the HTTP server, and the shard it lives on: what one worker executor owns. A
// shard is touched by its own thread only; its counters are read by others. Inside net/ only.
#include <atomic>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "net/http_server.h"
#include "net/request_parser.h"

namespace brickgate {

// TCP and Unix sockets alike: one instantiation of everything.
using StreamSocket =
    boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, Executor>;

class Session;

struct Shard : std::enable_shared_from_this<Shard> {
    Shard(Executor executor, std::shared_ptr<ServerOptions const> options, Clock const& clock,
          std::shared_ptr<std::atomic<std::size_t>> connections);

    // Once a second, until draining and empty: ends who is too slow or idle too long.
    Task<void> sweep();
    Task<void> begin_drain();
    Task<void> finish_drain(SteadyTimer::time_point deadline);
    void session_ended(Session* session);

    Executor executor;
    std::shared_ptr<ServerOptions const> options;
    Clock const& clock;
    std::shared_ptr<std::atomic<std::size_t>> connections;  // of all shards
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

// Bytes read and not yet answered. Wiped when they are consumed: they hold API keys.
class InputBuffer {
 public:
    explicit InputBuffer(std::size_t size_max);
    ~InputBuffer();
    std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
    bool empty() const { return begin_ == end_; }
    // Room to read into; empty when the buffer holds all it may.
    std::span<char> room();
    void filled(std::size_t bytes) { end_ += bytes; }
    void consume(std::size_t bytes);
    void drop(std::size_t from, std::size_t to);  // inside view()

 private:
    void resize(std::size_t capacity);
    std::size_t size_max_;
    std::size_t capacity_;
    std::unique_ptr<char[]> data_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

class Session {
 public:
    struct Peer {
        std::string address;
        std::uint16_t port = 0;
        ListenerKind listener = ListenerKind::both;
        std::optional<std::uint32_t> uid;
    };
    Session(StreamSocket socket, std::shared_ptr<Shard> shard, Peer peer);
    ~Session();

    static Task<void> run(std::shared_ptr<Session> self);
    void close();
    bool is_idle() const { return phase_ == Phase::idle; }
    // Closes if the time is up; true where that is the client's fault.
    bool expire();

 private:
    enum class Phase : std::uint8_t { idle, reading, handling, writing, lingering };

    Task<void> serve();
    Task<bool> read_more();
    Task<bool> flush();
    Task<void> linger();
    Task<ServerResponse> handle();
    bool answer_fast();
    bool write_now();
    void answer(ServerResponse const& response);
    Task<void> send_raw(std::shared_ptr<RawAnswer const> raw);
    void refuse(ErrorCode code);
    void next_request();
    void await_request();
    void give(Phase phase, Seconds time);
    ResponseBuffer::Framing framing() const;

    StreamSocket socket_;
    std::shared_ptr<Shard> shard_;
    Peer peer_;
    ServerRequest request_;
    InputBuffer in_;
    std::string out_;
    std::size_t written_ = 0;  // of out_
    std::optional<RequestParser> parser_;
    std::int64_t deadline_ = 0;  // in Shard::second
    Phase phase_ = Phase::idle;
    bool keep_alive_ = true;
    bool continued_ = false;  // "100 Continue" was sent for this request
};

}  // namespace brickgate
