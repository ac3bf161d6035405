// SPDX-License-Identifier: Apache-2.0
#include "vault/memory_transaction.h"

#include <algorithm>

namespace brickgate {

namespace {

constexpr std::uint64_t spreading_factor = 2654435761;  // neighbours land far apart

bool claimable(ConnectionState state) {
    return state == ConnectionState::active || state == ConnectionState::uncertain ||
           state == ConnectionState::host_blocked;
}

void enter(Connection& row, ConnectionState state, Time now) {
    row.state_since = row.state == state ? row.state_since : now;
    row.state = state;
    row.updated_at = now;
}

void release(Connection& row) {
    row.lease.node.clear();
    row.lease.until.reset();
}

void resolve(Connection& row) {
    row.intent.reset();
    row.next_attempt_at.reset();
    release(row);
}

std::unexpected<Error> conflict() {
    return fail(ErrorCode::store_conflict, "The database already has such a row.");
}

}  // namespace

Connection* MemoryTransaction::find(ConnectionId const& id, std::uint64_t family) {
    auto const found = rows_.connections.find(id.value());
    bool const same = found != rows_.connections.end() && found->second.family == family;
    return same && found->second.state != ConnectionState::disconnected ? &found->second : nullptr;
}

Connection* MemoryTransaction::find(Fence const& fence) {
    Connection* const row = find(fence.id, fence.family);
    bool const ours = row && row->generation == fence.generation &&
                      row->lease.epoch == fence.epoch && row->intent &&
                      row->intent->node == fence.node && row->intent->attempt == fence.attempt;
    return ours && claimable(row->state) ? row : nullptr;
}

Result<void> MemoryTransaction::insert_connection(Connection const& row) {
    auto const twin = find_connection_of(row);
    bool const has_twin = *twin && row.state != ConnectionState::disconnected;
    Connection fresh = row;
    fresh.intent.reset();
    release(fresh);
    if (has_twin || !rows_.connections.emplace(row.id.value(), std::move(fresh)).second) {
        return conflict();
    }
    return {};
}

Result<std::optional<Connection>> MemoryTransaction::find_connection(ConnectionId const& id) {
    auto const found = rows_.connections.find(id.value());
    return found == rows_.connections.end() ? std::nullopt : std::optional(found->second);
}

Result<std::optional<Connection>> MemoryTransaction::find_connection_of(Connection const& wanted) {
    for (auto const& [id, row] : rows_.connections) {
        if (row.registration == wanted.registration && row.workspace == wanted.workspace &&
            row.workspace_id == wanted.workspace_id && row.principal.sub == wanted.principal.sub &&
            row.subject == wanted.subject && row.state != ConnectionState::disconnected) {
            return row;
        }
    }
    return std::nullopt;
}

Result<std::vector<Connection>> MemoryTransaction::list_connections(
    ConnectionFilter const& filter) {
    std::vector<Connection> found;
    for (auto at = rows_.connections.upper_bound(filter.after);
         at != rows_.connections.end() && found.size() < filter.limit; ++at) {
        Connection const& row = at->second;
        if (filter.subject.value_or(row.subject) == row.subject &&
            filter.workspace.value_or(row.workspace) == row.workspace &&
            filter.state.value_or(row.state) == row.state) {
            found.push_back(row);
        }
    }
    return found;
}

Result<std::vector<Connection>> MemoryTransaction::due_connections(DueQuery const& query) {
    auto const wanted = [&](Connection const& row) {
        bool const registered =
            !query.registrations ||
            std::ranges::find(*query.registrations, row.registration) != query.registrations->end();
        auto const& but = query.but_workspaces;
        return registered && std::ranges::find(but, row.workspace) == but.end();
    };
    std::vector<Connection> found;
    for (auto const& [id, row] : rows_.connections) {
        if (claimable(row.state) && row.refresh_due_at && *row.refresh_due_at <= query.now &&
            row.next_attempt_at.value_or(query.now) <= query.now && wanted(row)) {
            found.push_back(row);
        }
    }
    std::ranges::sort(found, {}, &Connection::access_expires_at);
    found.resize(std::min(found.size(), query.limit));
    return found;
}

Result<std::optional<Time>> MemoryTransaction::next_due_at() {
    std::optional<Time> next;
    for (auto const& [id, row] : rows_.connections) {
        if (claimable(row.state) && row.refresh_due_at) {
            Time const at =
                std::max(*row.refresh_due_at, row.next_attempt_at.value_or(*row.refresh_due_at));
            next = std::min(next.value_or(at), at);
        }
    }
    return next;
}

Result<std::size_t> MemoryTransaction::spread_overdue(Spread const& spread) {
    std::size_t moved = 0;
    for (auto& [id, row] : rows_.connections) {
        bool const wanted = spread.workspace.value_or(row.workspace) == row.workspace &&
                            spread.registration.value_or(row.registration) == row.registration;
        if (!wanted || !claimable(row.state) || !row.refresh_due_at ||
            *row.refresh_due_at > spread.overdue_since) {
            continue;
        }
        Milliseconds const half = (row.access_expires_at - spread.now) / 2;
        auto const window = std::max(Milliseconds(1), std::min(spread.over_most, half));
        moved += 1;
        row.refresh_due_at =
            spread.now +
            Milliseconds(static_cast<std::int64_t>(moved * spreading_factor %
                                                   static_cast<std::uint64_t>(window.count())));
    }
    return moved;
}

Result<std::vector<Connection>> MemoryTransaction::connections_with_intent_of(
    std::string const& node) {
    std::vector<Connection> found;
    for (auto const& [id, row] : rows_.connections) {
        if (row.intent && row.intent->node == node) {
            found.push_back(row);
        }
    }
    return found;
}

Result<bool> MemoryTransaction::replace_family(Connection const& row,
                                               std::uint64_t family_expected) {
    auto const found = rows_.connections.find(row.id.value());
    if (found == rows_.connections.end() || found->second.family != family_expected) {
        return false;
    }
    Connection const old = std::move(found->second);
    Connection& next = found->second = row;
    next.tenant = old.tenant;
    next.registration = old.registration;
    next.workspace = old.workspace;
    next.subject = old.subject;
    next.principal.sub = old.principal.sub;
    next.created_at = old.created_at;
    next.previous_fingerprint = old.current_fingerprint;
    next.sealed_alt_refresh.clear();
    next.state = ConnectionState::active;
    next.reason = ReauthReason::none;
    next.fail_count = 0;
    next.last_error.clear();
    next.same_refresh_token_count = 0;
    next.lease.epoch = old.lease.epoch + 1;
    resolve(next);
    return true;
}

Result<bool> MemoryTransaction::disconnect(ConnectionId const& id, Time now) {
    auto const found = rows_.connections.find(id.value());
    if (found == rows_.connections.end() || found->second.state == ConnectionState::disconnected) {
        return false;
    }
    Connection& row = found->second;
    enter(row, ConnectionState::disconnected, now);
    row.reason = ReauthReason::none;
    row.family += 1;
    row.sealed_access.clear();
    row.sealed_refresh.clear();
    row.sealed_alt_refresh.clear();
    row.refresh_due_at.reset();
    resolve(row);
    for (auto& [key, capability] : rows_.capabilities) {
        if (capability.connection == id) {
            capability.revoked_at = capability.revoked_at.value_or(now);
        }
    }
    return true;
}

Result<std::optional<Connection>> MemoryTransaction::claim(ClaimRequest const& request) {
    Connection* const row = find(request.id, request.family);
    if (!row || row->generation != request.generation || !claimable(row->state)) {
        return std::nullopt;
    }
    bool const backing_off = row->next_attempt_at && *row->next_attempt_at > request.now;
    bool const leased =
        row->lease.until && *row->lease.until >= request.now && row->lease.node != request.node;
    bool const open = row->intent && row->intent->generation == row->generation;
    bool const anothers = row->intent && row->intent->generation >= row->generation &&
                          row->intent->node != request.node;
    if (backing_off || leased || anothers) {
        return std::nullopt;
    }
    unsigned const presented = open ? row->intent->presented + 1 : 1;
    enter(*row, open ? ConnectionState::uncertain : row->state, request.now);
    row->lease = {request.node, row->lease.epoch + 1, request.now + request.lease};
    row->intent = Intent{request.node,    request.boot, request.attempt,
                         row->generation, request.now,  presented};
    return *row;
}

Result<SaveOutcome> MemoryTransaction::save_tokens(TokenSave const& save) {
    auto const known = rows_.connections.find(save.id.value());
    if (known == rows_.connections.end()) {
        return SaveOutcome::gone;
    }
    Connection* const row = find(save.id, save.family);
    if (!row) {
        return SaveOutcome::family_changed;
    }
    if (row->generation != save.generation) {
        return row->last_attempt == save.attempt ? SaveOutcome::already_saved
                                                 : SaveOutcome::superseded;
    }
    row->generation += 1;
    row->sealed_access = save.sealed_access;
    row->sealed_refresh = save.sealed_refresh;
    row->sealed_alt_refresh.clear();
    row->previous_fingerprint = std::exchange(row->current_fingerprint, save.fingerprint);
    row->token_type = save.token_type;
    if (save.scopes) {
        row->scopes = Scopes::parse(*save.scopes).value_or(Scopes());
    }
    row->access_issued_at = save.access_issued_at;
    row->access_expires_at = save.access_expires_at;
    row->refresh_expires_at = save.refresh_expires_at;
    row->refresh_due_at = save.refresh_due_at;
    row->last_attempt = save.attempt;
    row->same_refresh_token_count = save.same_refresh_token ? row->same_refresh_token_count + 1 : 0;
    row->reason = ReauthReason::none;
    row->fail_count = 0;
    row->last_error.clear();
    enter(*row, ConnectionState::active, save.now);
    resolve(*row);
    return SaveOutcome::saved;
}

Result<bool> MemoryTransaction::keep_alt_refresh(ConnectionId const& id, std::uint64_t family,
                                                 std::string const& sealed) {
    Connection* const row = find(id, family);
    if (row) {
        row->sealed_alt_refresh = sealed;
    }
    return row != nullptr;
}

Result<bool> MemoryTransaction::promote_alt_refresh(Fence const& fence,
                                                    std::string const& resealed_access,
                                                    std::string const& resealed_refresh, Time now) {
    Connection* const row = find(fence);
    if (!row) {
        return false;
    }
    row->generation += 1;
    row->sealed_access = resealed_access;
    row->sealed_refresh = resealed_refresh;
    row->sealed_alt_refresh.clear();
    row->refresh_due_at = now;
    if (resealed_access.empty()) {
        row->access_expires_at = std::min(row->access_expires_at, now);
    }
    enter(*row, ConnectionState::active, now);
    resolve(*row);
    return true;
}

Result<bool> MemoryTransaction::back_off(Fence const& fence, BackOff const& back_off) {
    Connection* const row = find(fence);
    if (!row || !row->lease.until) {
        return false;
    }
    row->intent->presented -= back_off.spent == Spent::no ? 1 : 0;
    bool const open = row->intent->presented > 0;
    auto const next =
        back_off.state.value_or(open ? ConnectionState::uncertain : ConnectionState::active);
    enter(*row, back_off.counts ? next : row->state, back_off.now);
    if (!open) {
        row->intent.reset();
    }
    if (back_off.counts) {
        row->next_attempt_at = back_off.next_attempt_at;
        row->fail_count += 1;
        row->last_error = back_off.last_error;
    }
    release(*row);
    return true;
}

Result<bool> MemoryTransaction::fail_fenced(Fence const& fence, ReauthReason reason,
                                            std::string const& last_error, Time now) {
    Connection* const row = find(fence);
    if (!row) {
        return false;
    }
    enter(*row, ConnectionState::reauth_required, now);
    row->reason = reason;
    row->last_error = last_error;
    row->refresh_due_at.reset();
    resolve(*row);
    return true;
}

Result<bool> MemoryTransaction::set_state(ConnectionId const& id, std::uint64_t family,
                                          ConnectionState state, ReauthReason reason, Time now) {
    Connection* const row = find(id, family);
    if (!row) {
        return false;
    }
    row->state = state;
    row->reason = reason;
    row->state_since = row->updated_at = now;
    return true;
}

Result<std::size_t> MemoryTransaction::quarantine_all(Time now) {
    std::size_t count = 0;
    for (auto& [id, row] : rows_.connections) {
        if (row.state == ConnectionState::active || row.state == ConnectionState::uncertain ||
            row.state == ConnectionState::host_blocked) {
            row.state = ConnectionState::quarantined;
            row.reason = ReauthReason::restored;
            row.state_since = row.updated_at = now;
            count += 1;
        }
    }
    return count;
}

Result<bool> MemoryTransaction::end_quarantine(ConnectionId const& id, Time now) {
    auto const found = rows_.connections.find(id.value());
    if (found == rows_.connections.end() || found->second.state != ConnectionState::quarantined) {
        return false;
    }
    found->second.state = ConnectionState::active;
    found->second.state_since = found->second.updated_at = now;
    found->second.next_attempt_at.reset();
    return true;
}

Result<std::vector<std::pair<std::string, std::uint64_t>>> MemoryTransaction::count_by_state() {
    std::map<std::string, std::uint64_t> counts;
    for (auto const& [id, row] : rows_.connections) {
        counts[std::string(to_string(row.state))] += 1;
    }
    return std::vector<std::pair<std::string, std::uint64_t>>(counts.begin(), counts.end());
}

}  // namespace brickgate
