// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who knows everything and forgives only what cannot be helped. It hears of each presentation, each
// commit and each answer that is lost, and says at once when a rule is broken:
//
//   a token goes only to the connection that it was made for, and never after its end;
//   a refresh token is presented again only when the outcome of the time before is unknown, not
//   before that one can be answered no more, and a third time only when nothing is left to lose;
//   a grant dies only by an admin's hand, or when its newest token never reached our disk: lost on
//   the way, or by a crash between the answer and its sync; and such a death says outcome_lost;
//   no connection is called dead whose grant lives.
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/process.h"
#include "sim/store.h"
#include "sim/trace.h"
#include "sim/workspaces.h"
#include "tokens/token_source.h"

namespace brickgate::sim {

struct Presentation {
    enum class Outcome : std::uint8_t { awaited, unknown, reset, not_spent, definite };
    enum class Kept : std::uint8_t { no, writing, failed, yes };
    std::string node;
    std::string token;  // empty: a code
    Process const* process = nullptr;
    Instant sent_at{};
    Instant claimed_at{};
    Instant ended_at{};
    Outcome outcome = Outcome::awaited;
    std::string grant;
    std::string minted;  // the refresh token of the answer, if the one presented is spent
    bool gone = false;   // nobody will ever read the answer
    bool delivered = false;
    Kept kept = Kept::no;
};

class Judge {
 public:
    struct Parts {
        Agenda& agenda;
        SimClock& clock;
        Workspaces& workspaces;
        SimStore& store;
        Trace& trace;
        std::size_t nodes;
        bool clock_may_step;
    };
    explicit Judge(Parts parts) : parts_(parts) {}
    // Opens the sealed refresh token of a row.
    void can_open(std::function<std::string(Connection const&, bool alternative)> open) {
        open_ = std::move(open);
    }

    void fail(std::string what);
    std::optional<std::string> const& verdict() const { return verdict_; }

    // ---- the network
    using Case = std::shared_ptr<Presentation>;
    Case sent(std::string const& node, Process const& process, std::string const& token);
    void served(Presentation& it, TokenAnswer const& answer);
    void lost(Presentation& it);  // the answer will never come
    void delivered(Presentation& it);
    void ended(Presentation& it, Presentation::Outcome outcome);
    void reused(std::string const& grant);  // the server ends it for that
    // ---- the spool
    void kept(Process const& process, std::string_view answer, Presentation::Kept state);
    // ---- the database
    void committed();
    // ---- processes: after what the crash left on the disk is certain
    void died(Process const& process, std::vector<std::string> const& on_disk);
    void clock_set();
    // ---- callers
    void handed(ConnectionId const& id, TokenView const& token, Instant asked_at);
    // Who asks from now on is to be given nothing of a family before this one.
    void not_before(ConnectionId const& id, std::uint64_t family);
    void revoked(std::string const& grant, std::string_view by);

    std::string grant_of(ConnectionId const& id) const;
    std::uint64_t deaths() const { return deaths_; }
    std::uint64_t refreshes() const { return refreshes_; }
    std::uint64_t repeats() const { return repeats_; }

 private:
    struct Known {  // of a row, as it was last seen
        Connection row;
        std::string refresh;
        std::string alternative;
        Instant claimed_at{};
    };
    void look_at(Connection const& row);
    void judge_death(Connection const& row, Known const& known);
    void judge_repeat(Presentation const& now, Known const* row);
    void excuse(Presentation const& it, std::string_view why);
    bool durable(std::string const& token) const;
    Known const* holder_of(std::string const& token) const;
    Milliseconds clock_range() const { return latest_offset_ - earliest_offset_; }

    Parts parts_;
    std::function<std::string(Connection const&, bool)> open_;
    std::optional<std::string> verdict_;
    std::map<std::string, std::vector<Case>> of_token_;
    std::vector<Case> open_cases_;  // whose answer may still matter
    std::map<std::string, Known> rows_;
    std::map<std::string, std::string> excused_;     // grant: why its newest token may be nowhere
    std::set<std::string> on_disk_;                  // refresh tokens in synced spools
    std::map<std::string, std::uint64_t> families_;  // of each grant that came into a row
    std::map<ConnectionId, std::pair<Instant, std::uint64_t>> not_before_;
    Milliseconds earliest_offset_{};
    Milliseconds latest_offset_{};
    std::uint64_t deaths_ = 0;
    std::uint64_t refreshes_ = 0;
    std::uint64_t repeats_ = 0;
};

// The refresh token in a token endpoint's answer; empty: none.
std::string refresh_in(std::string_view answer);

}  // namespace brickgate::sim
