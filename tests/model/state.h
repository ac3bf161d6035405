// SPDX-License-Identifier: Apache-2.0
#pragma once
// One state of the model: one connection, two nodes, the token endpoint, and what is between them.
// Plain bytes without padding, so that states are compared and hashed as they lie in memory.
// Tokens are numbers in the order of their issue. Source: security design D.2 to D.8.

#include <array>
#include <cstdint>
#include <type_traits>

namespace brickgate::model {

using Byte = std::uint8_t;

enum class Mode : Byte { reusable, grace, strict, revoke };  // what reuse of an old token means

// What an answer is, apart from a token's number.
constexpr Byte no_answer = 0;
constexpr Byte of_old_family = 60;  // a good token of the grant that a new sign-in has replaced
constexpr Byte refused = 61;        // invalid_grant: definite
constexpr Byte busy = 62;           // 429 or 503: the token was not looked at

inline bool is_token(Byte answer) {
    return answer != no_answer && answer <= of_old_family;
}

// The connection as the database has it. Nodes are 1 and 2; 0 is nobody.
enum class RowState : Byte { active, uncertain, reauth_required };
enum class Reason : Byte { none, revoked, outcome_lost };
struct Row {
    Byte family = 1;
    Byte generation = 1;
    Byte token = 1;
    Byte alternative = 0;
    RowState state = RowState::active;
    Reason reason = Reason::none;
    Byte lease = 0;          // who has it; 0 once it has run out
    Byte epoch = 0;          // counts claims, and so names them
    Byte intent = 0;         // who has it
    Byte presented = 0;      // how often this generation may have reached the server
    Byte outcome_unset = 0;  // lease_until is set: nobody has noted yet how the claim ended
    Byte last_saved = 0;     // the claim that the last save came from
};

struct Server {
    Byte current = 1;
    Byte previous = 0;
    Byte grace = 0;  // the previous one is still taken
    Byte revoked = 0;
    Byte issued = 1;           // how many tokens so far
    Byte first_of_family = 1;  // older ones belong to the grant before
};

enum class At : Byte {
    idle,
    dead,
    recovering,  // after a start, before any claim
    claimed,     // no byte has left
    past_check,  // the deadline was looked at, and then the node stalled
    asking,      // the request is on its way, or the server is at work on it
    answered,    // the answer is on its way
    got,         // the answer is in memory only
    saving,
    failing,
    not_spent,    // writes that this presentation did not happen
    maybe_spent,  // writes that its outcome is unknown
};
struct Node {
    At at = At::idle;
    Byte family = 0;
    Byte generation = 0;
    Byte token = 0;
    Byte epoch = 0;
    Byte answer = no_answer;
    Byte spooled = 0;
    Byte replaying = 0;
};

// What a node's spool has. One entry is enough: a node appends only after the one before was
// settled, and with an append the notes about what was settled reach the disk.
enum class Kept : Byte { nothing, open, settled };  // settled: in memory, the note may be lost
struct Spool {
    Kept kept = Kept::nothing;
    Byte family = 0;
    Byte generation = 0;
    Byte epoch = 0;
    Byte answer = no_answer;
};

// How often each fault may still happen.
struct Faults {
    Byte crash = 0;
    Byte lost = 0;       // a request or an answer, or the node stops waiting for it
    Byte database = 0;   // a write fails, or is done and reported as failed
    Byte stall = 0;      // 1: any node may stand still at any time, for as long as it likes
    Byte disk = 0;       // the spool cannot be written
    Byte not_spent = 0;  // no connection, or the server is busy
    Byte late = 0;       // a request reaches the server after its retry was sent
    Byte consent = 0;    // the person signs in again
    Byte takeover = 0;   // an operator lets the other node have the intent
};

// What an invariant may be broken for: nobody can close these gaps.
constexpr Byte by_window = 1;    // cut between the server's commit and our disk
constexpr Byte by_late = 2;      // the server acts on a request after 30 s
constexpr Byte by_takeover = 4;  // of an intent whose token may have been spent
constexpr Byte by_disk = 8;      // the spool was broken and then the node crashed

// What a step did wrong, in the state that it led to.
constexpr Byte threw_away = 1;
constexpr Byte presented_twice = 2;

struct State {
    Row row;
    Server server;
    std::array<Node, 2> nodes;
    std::array<Spool, 2> spools;
    std::array<Byte, 2> strays{};  // requests that nobody waits for: the token they present
    Faults left;
    Byte presentations = 0;  // of the row's token, of which the outcome is not known to us
    Byte presenters = 0;     // by whom, a bit each
    Byte cause = 0;
    Byte wrong = 0;
};
static_assert(std::has_unique_object_representations_v<State>);

// The protocol's pieces, each of which can be left out.
struct Pieces {
    bool cas = false;          // a save only replaces the generation that it refreshed
    bool deadline = false;     // the lease outlives the request; no first byte after it
    bool spool = false;        // the answer is on disk before anything is done with it
    bool fence = false;        // a failure is written only by the claim that met it
    bool alternative = false;  // a good token that came too late is kept and tried before giving up
    bool hold = false;         // the owner-held intent
    bool once = false;         // how a claim ended is noted once
    bool replay_late = false;  // an answer in a spool that came too late is kept as well
    bool revive = false;       // one that comes after the grant was given up brings it back
};

struct Setting {
    Pieces pieces;
    Mode mode = Mode::revoke;
    Faults faults;
    Byte refreshes = 2;
    Byte claims = 4;
};

}  // namespace brickgate::model
