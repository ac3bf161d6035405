// SPDX-License-Identifier: Apache-2.0
#pragma once
// One refresh of one connection as a step machine without I/O (security design D.5, architecture
// section 5). The driver does what an Action says and reports what came of it as the next Event;
// secrets and raw answers stay with the driver. Pure; one machine a flight.
//
// Invariants: no send without a claim of this generation and never twice for one claim; after an
// answer only spool, parse, publish, save, wait may follow; nothing is published before it is
// spooled or read from a newer generation; a failure is written only for a definite answer, fenced.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/clock.h"
#include "base/error.h"
#include "oauth/oauth_error.h"
#include "tokens/refresh_policy.h"
#include "vault/connection.h"
#include "vault/store.h"

namespace brickgate::refresh {

struct Moment {
    Time wall{};
    Instant steady{};
    double dice = 0;  // in [0, 1), for the jitter of whatever is decided now
};

// ---- what happened
struct Start {};
struct Replayed {
    Connection row;
};  // an answer from the spool of a dead run
struct Loaded {
    std::optional<Connection> row;
};
struct NotAdmitted {
    ErrorCode code;
    Milliseconds wait{};
};  // breaker, registration, full spool; refresh_pending: its turn comes after the wait
struct Claimed {
    Connection row;
};
struct NotClaimed {};
struct NotSent {
    ErrorCode code;
};  // no byte of ours left
struct MaybeSent {
    ErrorCode code;
    bool end_seen = false;
};  // end_seen: reset or EOF, not a time-out
struct Answered {};
struct Spooled {};
struct SpoolFailed {};
struct Parsed {
    AnswerClass answer;
    ErrorCode code = ErrorCode::internal;  // of success: ignored
    std::optional<Seconds> retry_after = std::nullopt;
    bool may_be_spent = false;  // a 2xx that is not OAuth: somebody took our request
    // false: a gateway on the way spoke (502, 504), and the server may still be at work on it.
    bool end_seen = true;
};
struct Saved {
    SaveOutcome outcome;
};
struct FailureWritten {
    bool fenced_out = false;
    bool promoted = false;
};
struct BackedOff {};
struct StoreDown {
    ErrorCode code;
};
struct VaultFailed {
    ErrorCode code;
};  // a record or a key of this connection, not the store: waiting mends nothing
struct Tick {};
using Event = std::variant<Start, Replayed, Loaded, NotAdmitted, Claimed, NotClaimed, NotSent,
                           MaybeSent, Answered, Spooled, SpoolFailed, Parsed, Saved, FailureWritten,
                           BackedOff, StoreDown, VaultFailed, Tick>;

// ---- what to do
struct Load {};
struct Claim {};  // ask the gatekeeper, reserve the spool, claim
struct Send {
    Instant not_after;
};  // abort if the first byte would leave later
struct SpoolAnswer {};
struct Parse {};
struct Publish {};  // give the new token to memory: it is on disk
struct Save {};
struct Fail {
    ReauthReason reason;
    ErrorCode code;
};
struct WriteBackOff {
    BackOff back_off;
    ErrorCode code;
};
struct Wait {
    Milliseconds wait;
};
struct Done {};  // the row last loaded or saved is the answer
struct GiveUp {
    ErrorCode code;
    std::optional<Seconds> retry_after = std::nullopt;
    ReauthReason reason = ReauthReason::none;  // of reauth_required
};
using Action = std::variant<Load, Claim, Send, SpoolAnswer, Parse, Publish, Save, Fail,
                            WriteBackOff, Wait, Done, GiveUp>;

struct Limits {
    Milliseconds send_before =
        std::chrono::seconds(25);  // after the claim: a stalled node never sends late
    Milliseconds lease = std::chrono::seconds(60);  // > send_before + the request's 20 s + margin
    Milliseconds poll = std::chrono::milliseconds(200);  // while somebody else works on it
    Milliseconds poll_for = std::chrono::seconds(25);
    Milliseconds store_retry_max = std::chrono::seconds(10);
};

class Machine {
 public:
    // Refreshes unless the row is already newer than `generation`.
    Machine(std::uint64_t generation, RefreshPolicy policy, Limits limits = {});
    Action step(Event const& event, Moment const& now);

 private:
    enum class State : std::uint8_t {
        idle,
        loading,
        claiming,
        sending,
        spooling,
        parsing,
        publishing,
        saving,
        failing,
        backing_off,
        waiting,
        finished
    };
    struct BackOffPlan {
        Spent spent;
        ErrorCode code;
        Milliseconds wait{};
        std::optional<ConnectionState> state = std::nullopt;
        ErrorCode tell = ErrorCode::refresh_pending;  // what the waiting callers hear
        bool counts = true;                           // false: it is not this connection's fault
    };
    Action begin(Event const& event);
    Action on_loaded(Loaded const& event, Moment const& now);
    Action on_claim(Event const& event, Moment const& now);
    Action on_sent(Event const& event, Moment const& now);
    Action on_parsed(Parsed const& parsed, Moment const& now);
    Action on_saved(Saved const& saved);
    Action on_failure(FailureWritten const& written);
    Action on_store_down(Moment const& now);
    Action maybe_spent(ErrorCode code, bool end_seen, std::optional<ConnectionState> state,
                       Moment const& now);
    Action back_off(BackOffPlan const& plan, Moment const& now);
    Action wait(Milliseconds pause, State then, Action action);
    Action reload();
    Action give_up(ErrorCode code, std::optional<Seconds> retry_after = std::nullopt);
    Action ask_to_sign_in(ReauthReason reason);
    Action wrong_order();
    ReauthReason reason_of_death(Moment const& now) const;

    std::uint64_t generation_;
    RefreshPolicy policy_;
    Limits limits_;
    State state_ = State::idle;
    State after_wait_ = State::idle;
    Action pending_ = Load{};
    std::optional<Connection> row_;
    Instant claim_started_{};
    std::optional<Instant> poll_until_;
    bool spooled_ = false;
    bool superseded_ = false;  // our token was good, but another had taken its generation's place
    bool replaying_ = false;   // an answer of a dead run: nothing is claimed and nothing presented
    unsigned store_failures_ = 0;
    ErrorCode tell_ = ErrorCode::refresh_pending;
    Milliseconds tell_wait_{};
};

}  // namespace brickgate::refresh
