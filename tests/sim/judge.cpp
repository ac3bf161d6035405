// SPDX-License-Identifier: Apache-2.0
#include "sim/judge.h"

#include <algorithm>

namespace brickgate::sim {

namespace {

using namespace std::chrono_literals;
constexpr Milliseconds repeat_after_reset = 1s;     // security design D.6
constexpr Milliseconds repeat_after_silence = 30s;  // counted from the claim
constexpr Milliseconds server_notices = 10s;        // that its client has hung up
constexpr Milliseconds nothing_to_lose = 60s;
constexpr Milliseconds send_before = 25s;  // D.5 T2
constexpr unsigned known_to_be_reusable = 3;

using Outcome = Presentation::Outcome;

bool unknown(Presentation const& it) {
    return it.outcome == Outcome::unknown || it.outcome == Outcome::reset;
}

}  // namespace

std::string refresh_in(std::string_view answer) {
    constexpr std::string_view name = R"("refresh_token":")";
    auto const at = answer.find(name);
    if (at == std::string_view::npos) {
        return {};
    }
    auto const rest = answer.substr(at + name.size());
    return std::string(rest.substr(0, rest.find('"')));
}

void Judge::fail(std::string what) {
    parts_.trace.note(parts_.agenda.now(), "VERDICT", what);
    if (!verdict_) {
        verdict_ = std::move(what);
    }
}

Judge::Known const* Judge::holder_of(std::string const& token) const {
    for (auto const& [id, known] : rows_) {
        if (known.refresh == token) {
            return &known;
        }
    }
    return nullptr;
}

bool Judge::durable(std::string const& token) const {
    return on_disk_.contains(token) || std::ranges::any_of(rows_, [&](auto const& entry) {
               return entry.second.refresh == token || entry.second.alternative == token;
           });
}

// ---- the network

Judge::Case Judge::sent(std::string const& node, Process const& process, std::string const& token) {
    auto it = std::make_shared<Presentation>();
    it->node = node;
    it->token = token;
    it->process = &process;
    it->sent_at = it->claimed_at = parts_.agenda.now();
    open_cases_.push_back(it);
    if (token.empty()) {
        return it;
    }
    auto const* const row = holder_of(token);
    if (row) {
        it->claimed_at = row->claimed_at;
    }
    refreshes_ += 1;
    if (!parts_.clock_may_step && it->sent_at > it->claimed_at + send_before) {
        fail("a refresh token is sent long after it was claimed: " + token);
    }
    judge_repeat(*it, row);
    of_token_[token].push_back(it);
    return it;
}

void Judge::judge_repeat(Presentation const& now, Known const* row) {
    auto& before = of_token_[now.token];
    // An answer that says what became of the token settles all before it.
    auto const said = std::ranges::find_if(before.rbegin(), before.rend(), [](Case const& it) {
        return it->outcome == Outcome::definite;
    });
    before.erase(before.begin(), said.base());
    bool const in_the_air =
        std::ranges::any_of(before, [](Case const& it) { return it->outcome == Outcome::awaited; });
    if (in_the_air) {
        return fail("a refresh token is presented while it is on its way already: " + now.token);
    }
    auto const last = std::ranges::find_if(before.rbegin(), before.rend(),
                                           [](Case const& it) { return unknown(*it); });
    if (last == before.rend()) {
        return;
    }
    repeats_ += 1;
    bool const reusable = row && row->row.same_refresh_token_count >= known_to_be_reusable;
    if (parts_.clock_may_step || reusable) {
        return;  // waits are in wall time, which somebody may have set
    }
    bool const too_soon = (*last)->outcome == Outcome::reset
                              ? now.sent_at < (*last)->ended_at + repeat_after_reset
                              : now.sent_at < (*last)->claimed_at + repeat_after_silence ||
                                    now.sent_at < (*last)->ended_at + server_notices;
    if (too_soon) {
        return fail("a refresh token is presented again too soon after an unknown outcome: " +
                    now.token);
    }
    auto const times = std::ranges::count_if(before, [](Case const& it) { return unknown(*it); });
    bool const valuable =
        row && row->row.access_expires_at - parts_.clock.now() > nothing_to_lose + 1s;
    if (times > 1 && valuable) {
        fail("a refresh token is presented a third time while the old access token is good: " +
             now.token);
    }
}

void Judge::served(Presentation& it, TokenAnswer const& answer) {
    it.grant = answer.grant;
    if (answer.rotated) {
        it.minted = answer.refresh;
        parts_.trace.note(parts_.agenda.now(), "minted", it.grant, 0, it.minted);
    }
    if (it.gone) {
        excuse(it, "nobody was there to read the answer");
    }
}

void Judge::lost(Presentation& it) {
    it.gone = true;
    excuse(it, "the answer was lost");
}

void Judge::excuse(Presentation const& it, std::string_view why) {
    if (!it.minted.empty() && !durable(it.minted)) {
        parts_.trace.note(parts_.agenda.now(), "irreducible", it.grant, 0, why);
        excused_[it.grant] = why;
    }
}

void Judge::delivered(Presentation& it) {
    it.delivered = true;
}

void Judge::ended(Presentation& it, Outcome outcome) {
    it.outcome = outcome;
    it.ended_at = parts_.agenda.now();
}

void Judge::reused(std::string const& grant) {
    if (!excused_.contains(grant)) {
        fail(
            "an old refresh token was presented, and that has ended a grant whose new one we "
            "hold: " +
            grant);
    }
}

// ---- the spool

void Judge::kept(Process const& process, std::string_view answer, Presentation::Kept state) {
    std::string const token = refresh_in(answer);
    if (token.empty()) {
        return;
    }
    for (auto const& it : open_cases_) {
        if (it->process == &process && it->minted == token) {
            it->kept = state;
        }
    }
    if (state == Presentation::Kept::yes) {
        on_disk_.insert(token);
    }
}

// ---- processes

void Judge::died(Process const& process, std::vector<std::string> const& on_disk) {
    on_disk_.insert(on_disk.begin(), on_disk.end());
    for (auto const& it : open_cases_) {
        if (it->process != &process) {
            continue;
        }
        if (it->outcome == Outcome::awaited) {
            ended(*it, Outcome::unknown);
        }
        // Between the answer and its sync nothing may lie that takes time: what dies there with the
        // token in its hands has broken the rule, and is not excused.
        bool const in_the_window = !it->delivered || it->kept == Presentation::Kept::writing ||
                                   it->kept == Presentation::Kept::failed;
        if (in_the_window) {
            it->gone = true;
            excuse(*it, "a crash between the server's commit and our sync");
        }
    }
    std::erase_if(open_cases_, [&](Case const& it) { return it->process == &process; });
}

void Judge::clock_set() {
    earliest_offset_ = std::min(earliest_offset_, parts_.clock.offset());
    latest_offset_ = std::max(latest_offset_, parts_.clock.offset());
}

// ---- the database

namespace {

bool same_intent(std::optional<Intent> const& a, std::optional<Intent> const& b) {
    return a.has_value() == b.has_value() && (!a || a->attempt == b->attempt);
}

// In all that the judge looks at.
bool same(Connection const& a, Connection const& b) {
    return a.state == b.state && a.generation == b.generation && a.family == b.family &&
           same_intent(a.intent, b.intent) && a.access_expires_at == b.access_expires_at &&
           a.sealed_refresh == b.sealed_refresh && a.sealed_alt_refresh == b.sealed_alt_refresh &&
           a.same_refresh_token_count == b.same_refresh_token_count;
}

}  // namespace

void Judge::committed() {
    for (auto const& [id, row] : parts_.store.rows().connections) {
        look_at(row);
    }
}

void Judge::look_at(Connection const& row) {
    auto& known = rows_[row.id.value()];
    if (same(known.row, row)) {
        return;
    }
    Connection const before = std::exchange(known.row, row);
    if (row.sealed_refresh != before.sealed_refresh && !row.sealed_refresh.empty()) {
        known.refresh = open_(row, false);
        auto const grant = Workspaces::grant_of(known.refresh);
        auto const& truth = parts_.workspaces.grant(grant);
        if ("scim:" + truth.person != row.principal.sub || truth.host != row.workspace) {
            fail("a row holds the token of somebody else: " + row.id.value());
        }
        families_[grant] = row.family;
        if (truth.live == known.refresh) {
            excused_.erase(grant);
        }
    }
    if (row.sealed_alt_refresh != before.sealed_alt_refresh) {
        known.alternative = row.sealed_alt_refresh.empty() ? std::string() : open_(row, true);
    }
    if (row.intent && (!before.intent || row.intent->attempt != before.intent->attempt)) {
        // The moment that the claim names, before it was written.
        known.claimed_at = parts_.agenda.now() - (parts_.clock.now() - row.intent->at);
        parts_.trace.note(parts_.agenda.now(), "claimed", row.principal.sub,
                          static_cast<std::int64_t>(row.generation), row.intent->node);
    }
    if (row.state != before.state || row.generation != before.generation) {
        parts_.trace.note(parts_.agenda.now(), to_string(row.state), row.principal.sub,
                          static_cast<std::int64_t>(row.generation), known.refresh);
        if (row.state == ConnectionState::reauth_required) {
            judge_death(row, known);
        }
    }
}

void Judge::judge_death(Connection const& row, Known const& known) {
    deaths_ += 1;
    std::string const grant = Workspaces::grant_of(known.refresh);
    bool const by_admin = parts_.workspaces.grant(grant).end == Grant::End::admin;
    if (by_admin) {
        return;
    }
    if (parts_.workspaces.good(known.refresh)) {
        return fail("a connection is called dead whose token is good: " + grant);
    }
    if (!excused_.contains(grant)) {
        return fail("a grant is lost without a cause that could not be helped: " + grant);
    }
    if (row.reason != ReauthReason::outcome_lost) {
        fail("a grant was lost to an unknown outcome, and its row says " +
             std::string(to_string(row.reason)) + ": " + grant);
    }
}

// ---- callers

void Judge::handed(ConnectionId const& id, TokenView const& token, Instant asked_at) {
    auto const text =
        token.access_token.expose([](std::string_view plain) { return std::string(plain); });
    auto const* const minted = parts_.workspaces.find(text);
    if (!minted) {
        return fail("a token is handed out that nobody made: " + text);
    }
    auto const& grant = parts_.workspaces.grant(minted->grant);
    auto const& row = parts_.store.rows().connections.at(id.value());
    if ("scim:" + grant.person != row.principal.sub || grant.host != row.workspace ||
        token.workspace != row.workspace) {
        return fail("a token is handed out for the wrong connection: " + text);
    }
    if (parts_.agenda.now() >= minted->expires_at + clock_range()) {
        return fail("a token is handed out that is over: " + text);
    }
    auto const floor = not_before_.find(id);
    // Several nodes do not tell each other what their caches hold: one process only.
    if (parts_.nodes == 1 && floor != not_before_.end() && asked_at > floor->second.first &&
        families_[minted->grant] < floor->second.second) {
        fail("a token of a grant is handed out that was ended or replaced before: " + text);
    }
}

void Judge::not_before(ConnectionId const& id, std::uint64_t family) {
    not_before_[id] = {parts_.agenda.now(), family};
}

void Judge::revoked(std::string const& grant, std::string_view by) {
    parts_.trace.note(parts_.agenda.now(), "revoked", grant, 0, by);
}

std::string Judge::grant_of(ConnectionId const& id) const {
    auto const found = rows_.find(id.value());
    return found == rows_.end() ? std::string() : Workspaces::grant_of(found->second.refresh);
}

}  // namespace brickgate::sim
