// SPDX-License-Identifier: Apache-2.0
#pragma once
// One proxied request from its header to its end: body, turn, token, attempts, answer. A part of
// Proxy, made for one forward() and then gone; one worker executor.
#include <boost/asio/cancellation_signal.hpp>
#include <expected>
#include <optional>
#include <string>

#include "proxy/proxy.h"
#include "proxy/target_rules.h"

namespace brickgate {

class ProxyCall {
 public:
    ProxyCall(Proxy& proxy, Proxy::Worker& worker, Exchange& exchange, ConnectionId connection,
              std::string target, Proxy::StillAllowed still_allowed);
    ~ProxyCall();
    ProxyCall(ProxyCall const&) = delete;
    ProxyCall& operator=(ProxyCall const&) = delete;
    Task<void> run();

 private:
    // How one attempt ended: an answer whose head is there, or no answer.
    struct Attempt {
        UpstreamPool::Connection connection = {};
        UpstreamHead const* head = nullptr;
        std::string start = {};    // of a refusal's body, read ahead to be judged
        bool start_whole = false;  // it is all of the body
        std::optional<TransportError> failure = {};
    };
    enum class Next : std::uint8_t { answer, again, ended };

    bool is_replayable() const { return body_whole_; }
    void look();
    void cut();
    bool is_over();
    Task<bool> waited(Task<void> wait);
    Task<void> end_early();
    Task<bool> read_body_ahead();
    // What can be had without waiting costs no coroutine.
    bool take_turn();
    Task<bool> wait_for_turn();
    bool take_token();
    Task<Result<void>> get_token(std::optional<std::uint64_t> newer_than);
    void keep_token(std::string_view token, std::string_view workspace,
                    std::string_view workspace_id, std::uint64_t generation);
    Result<void> make_head();
    Task<Attempt> attempt();
    Task<std::optional<TransportError>> send(UpstreamConnection& connection);
    Task<std::optional<TransportError>> send_rest(UpstreamConnection& connection);
    Task<void> read_refusal(Attempt& made);
    Task<Next> judge(Attempt& made);
    Task<Next> after_rejection(Attempt& made);
    Task<Next> again_after(Attempt& made, std::optional<Milliseconds> server_wait);
    Task<void> relay(Attempt made, std::optional<Milliseconds> server_wait);
    Task<void> relay_body(Attempt& made);
    Task<void> refuse(Error error, bool may_be_done = false);
    std::string report_lines() const;

    Proxy& proxy_;
    Proxy::StillAllowed still_allowed_;
    std::optional<Error> ended_;  // the caller's right has, and why
    boost::asio::cancellation_signal stop_waiting_;
    UpstreamConnection* in_use_ = nullptr;
    Proxy::Parts& parts_;
    Proxy::Worker& worker_;
    UpstreamPool& pool_;
    Exchange& exchange_;
    ConnectionId connection_;
    std::string raw_target_;
    ProxyTarget target_;
    std::string method_;

    std::string body_;         // as much as may be sent twice
    bool body_whole_ = false;  // it is all of it
    bool has_idempotency_token_ = false;

    std::string authorization_;  // "Authorization: Bearer ...\r\n"; wiped
    std::string workspace_;
    std::string workspace_id_;  // of a unified host
    std::uint64_t generation_ = 0;
    std::shared_ptr<UpstreamOrigin const> origin_;
    std::string head_;  // of the request as it goes upstream; wiped

    std::optional<Admission> admission_;
    Instant began_;
    Instant checked_;  // that the caller is there and may
    unsigned attempts_ = 0;
    bool token_replaced_ = false;
    std::string retried_;  // reasons, for the caller
};

}  // namespace brickgate
