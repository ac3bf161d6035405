// SPDX-License-Identifier: Apache-2.0
#pragma once
// One flight: does what the refresh machine says, with the vault, the spool and the network, and
// holds the secrets meanwhile. A part of Refresher, made for one run() and then gone.

#include <memory>
#include <optional>
#include <string>

#include "base/http_message.h"
#include "oauth/types.h"
#include "tokens/refresh_machine.h"
#include "tokens/refresher.h"

namespace brickgate {

class RefreshDrive {
 public:
    RefreshDrive(Refresher& owner, ConnectionId id, refresh::Machine machine);
    ~RefreshDrive();  // a pass that nothing came of is given back
    RefreshDrive(RefreshDrive const&) = delete;
    RefreshDrive& operator=(RefreshDrive const&) = delete;

    Task<Result<Connection>> run(refresh::Event first);
    // For a replay: the answer that the spool kept.
    void take_answer(std::uint64_t seq, std::string attempt, Time asked_at, HttpResponse answer);

 private:
    Task<refresh::Event> perform(refresh::Action action);
    Task<refresh::Event> load();
    Task<refresh::Event> claim();
    Task<refresh::Event> send(Instant not_after);
    Task<HttpAnswer> present(std::string endpoint, HttpLimits limits);
    bool is_principals() const { return registration_ && registration_->service_principals; }
    Task<refresh::Event> spool_answer();
    refresh::Event parse();
    refresh::Event publish();
    Task<refresh::Event> save();
    Task<refresh::Event> write_failure(ReauthReason reason, ErrorCode code);
    Task<refresh::Event> write_back_off(BackOff back_off, ErrorCode code);

    void note_failure(ErrorCode code);
    void note_answer(refresh::Parsed const& parsed);
    void note_reopened(Gatekeeper::Reopened const& reopened);
    void settle_spooled();  // the generation is resolved: its answers are needed no more
    refresh::Event failure_of(Error const& error) const;
    NewTokens new_tokens();
    Result<std::string> token_endpoint() const;
    Fence fence() const;
    refresh::Moment moment();
    Error error_of(refresh::GiveUp const& end) const;

    Refresher& owner_;
    Refresher::Parts& parts_;
    ConnectionId id_;
    refresh::Machine machine_;
    std::string attempt_;
    std::optional<Connection> row_;
    std::shared_ptr<Registration const> registration_;
    std::optional<Gatekeeper::Pass> pass_;  // until it is reported
    std::optional<RefreshToken> presented_;
    std::shared_ptr<Spool::Reservation> room_;
    std::optional<HttpResponse> answer_;
    Time asked_at_{};  // from when the token's life is counted: it was not issued before, and the
                       // answer may have been on its way for long
    std::optional<std::uint64_t> spool_seq_;
    std::optional<TokenSet> tokens_;
    bool protocol_error_ = false;
};

}  // namespace brickgate
