// SPDX-License-Identifier: Apache-2.0
#pragma once
// The proxy's way out: kept-alive HTTP/1.1 connections to workspaces, one pool a worker executor
// and nothing shared between them. Addresses are judged at the connect (T28, T29), certificates
// always (T33), nothing ambient is used (T31); nothing is repeated here: that is the caller's rule
// (proxy/retry_policy.h). Time limits are a sweep once a second. Everything about a pool happens on
// its executor, but for create().
#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "net/http_client.h"
#include "net/name_resolver.h"
#include "net/response_parser.h"
#include "net/wire.h"

namespace brickgate {

struct UpstreamOrigin {
    bool tls = true;
    std::string host;  // a name or an address, without brackets
    std::uint16_t port = 443;
    EgressPolicy egress = {};

    static std::optional<UpstreamOrigin> of(std::string_view origin);  // https://host[:port]
    std::string authority() const;  // for Host: without the scheme's own port
    std::string key() const;
};

struct UpstreamLimits {
    Seconds connect{5};        // name, TCP and TLS together
    Seconds answer{300};       // to the end of the answer's head: SQL waits 50 s, models minutes
    Seconds body_idle{60};     // between two pieces of a body
    Seconds events_idle{300};  // of server-sent events
    Seconds send_slack{30};    // a workspace that does not read what it is sent
    Seconds kept_idle{25};     // below what load balancers keep, so that we close first
    std::size_t kept_per_origin_max = 256;
    ResponseLimits response = {};
};

// What all pools of a process share. Immutable but for the resolver's cache; any thread.
struct UpstreamShared {
    // config_invalid: the CA file or the proxy cannot be used.
    static Result<std::shared_ptr<UpstreamShared>> create(std::string const& ca_file,
                                                          std::string const& proxy,
                                                          std::vector<std::string> own_endpoints,
                                                          UpstreamLimits limits,
                                                          Clock const& clock);
    explicit UpstreamShared(Clock const& clock) : resolver(clock) {}

    std::shared_ptr<SSL_CTX> tls;
    std::optional<UpstreamOrigin> proxy;
    std::vector<std::string> own_endpoints;
    UpstreamLimits limits;
    NameResolver resolver;
};

class UpstreamPool;

// One connection while one request uses it. Give it back when the answer is read to its end; else
// it is closed with the object.
class UpstreamConnection {
 public:
    using Sending = std::expected<void, TransportError>;
    ~UpstreamConnection();
    bool is_reused() const { return reused_; }

    // Head and the first of the body in one write. An upstream that answers before it has read
    // everything is heard: `answered_early()` is then true and the rest need not be sent.
    Task<Sending> send(std::string_view head, std::string_view body);
    bool answered_early() const { return answered_early_; }
    // Interim answers are skipped, and give no more time. The head lives until the next request on
    // this connection.
    Task<std::expected<UpstreamHead const*, TransportError>> receive_head(bool to_head);
    // The next piece, decoded; empty at the end. Valid until the next call. Errors:
    // upstream_malformed, upstream_timeout, upstream_unreachable: the answer is broken off.
    Task<Result<std::string_view>> read_body(Seconds idle);
    // From now on so much time in all, however often something comes; nullopt: no such end.
    void give_in_all(std::optional<Seconds> time);
    // Nobody wants the answer any more: whoever waits for it sees an end.
    void abandon() { wire_.reset(); }
    // A piece is here already, so that a small answer leaves with its head.
    bool has_piece() const { return next_piece_ < pieces_.size(); }
    bool body_done() const { return parser_ && parser_->body_done() && !has_piece(); }

 private:
    friend class UpstreamPool;
    UpstreamConnection(UpstreamPool& pool, std::string key);
    TransportError broken(std::string_view what) const;
    Task<bool> fill(Seconds patience);
    void wipe_buffer();
    Task<Result<void>> parse_more(Seconds patience);
    void expect(Seconds patience);
    void expect_nothing();

    UpstreamPool& pool_;
    std::string key_;
    Wire wire_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t used_ = 0;  // of the buffer, ever: what must be wiped
    std::optional<ResponseParser> parser_;
    std::vector<std::string_view> pieces_;
    std::size_t next_piece_ = 0;
    std::int64_t deadline_;
    std::int64_t latest_;  // that a deadline may be
    std::int64_t idle_since_ = 0;
    bool reused_ = false;
    bool timed_out_ = false;
    bool answered_early_ = false;
    bool ended_ = false;
};

class UpstreamPool {
 public:
    UpstreamPool(Executor executor, std::shared_ptr<UpstreamShared> shared);
    ~UpstreamPool();

    using Connection = std::unique_ptr<UpstreamConnection>;
    // A kept connection if there is a quiet one and `fresh` does not forbid it, else a new one.
    // Errors are Sent::not_sent: upstream_unreachable, upstream_timeout, tls_failed, egress_denied.
    // `origin` stays until it is done.
    Task<std::expected<Connection, TransportError>> acquire(UpstreamOrigin const& origin,
                                                            bool fresh);
    // Keeps it if the answer was read to its end and both sides go on.
    void give_back(Connection connection);
    // Once a second until stop(); spawn it once on the executor.
    Task<void> sweep();
    void stop();
    std::size_t kept() const { return kept_count_.load(std::memory_order_relaxed); }  // any thread
    UpstreamLimits const& limits() const { return shared_->limits; }

 private:
    friend class UpstreamConnection;
    Task<std::expected<Connection, TransportError>> connect(UpstreamOrigin const& origin);
    Task<Result<void>> dial(UpstreamConnection& connection, UpstreamOrigin const& to);
    Task<Result<void>> tunnel(UpstreamConnection& connection, UpstreamOrigin const& to);
    Task<Result<void>> secure(UpstreamConnection& connection, UpstreamOrigin const& to);
    bool may_dial(IpAddress const& address, UpstreamOrigin const& to, bool is_proxy) const;

    Executor executor_;
    std::shared_ptr<UpstreamShared> shared_;
    std::unordered_map<std::string, std::vector<Connection>> kept_;
    std::atomic<std::size_t> kept_count_ = 0;
    std::unordered_set<UpstreamConnection*> all_;
    std::vector<std::vector<char>> buffers_;  // for the next connection that is busy
    std::int64_t second_ = 0;
    bool stopping_ = false;
    SteadyTimer timer_;
};

}  // namespace brickgate
