// SPDX-License-Identifier: Apache-2.0
// What the nodes do (refresh_machine, refresh_drive, refresher) and what can befall them.
#include "model/steps.h"

#include <algorithm>

#include "model/database.h"
#include "model/invariants.h"
#include "model/server.h"

namespace brickgate::model {

namespace {

class Steps {
 public:
    Steps(State const& from, Setting const& setting, std::vector<Successor>& out)
        : from_(from), setting_(setting), pieces_(setting.pieces), out_(out) {
        from_.wrong = 0;
    }

    void all() {
        for (Byte i = 0; i < 2; ++i) {
            node(i);
            crash(i);
        }
        strays();
        lease_runs_out();
        if (from_.server.grace != 0) {
            State next = from_;
            next.server.grace = 0;
            add(next, Step::grace_ends, 2);
        }
        if (from_.left.consent > 0) {
            State next = from_;
            next.left.consent -= 1;
            sign_in_again(next);
            add(next, Step::sign_in_again, 2);
        }
    }

 private:
    static constexpr Byte name_of(Byte i) { return static_cast<Byte>(i + 1); }
    static Node& at(State& state, Byte i) { return state.nodes.at(i); }

    void add(State const& next, Step step, Byte node) { out_.push_back({next, step, node}); }

    // A step of the protocol's own, which must not give away what it has.
    void act(State next, Step step, Byte i) {
        if (has_live_token(from_) && !has_live_token(next)) {
            next.wrong |= threw_away;
        }
        add(next, step, i);
    }

    void node(Byte i) {
        switch (from_.nodes.at(i).at) {
            case At::idle:
                return start_refresh(i);
            case At::dead: {
                State next = from_;
                bool const has_memory = pieces_.spool || pieces_.hold;
                at(next, i).at = has_memory ? At::recovering : At::idle;
                return act(next, Step::restart, i);
            }
            case At::recovering:
                return recover(i);
            case At::claimed:
                return before_first_byte(i);
            case At::past_check:
                return send(i);
            case At::asking:
                return ask(i);
            case At::answered:
                return receive(i);
            case At::got:
                return keep(i);
            case At::saving:
            case At::failing:
            case At::not_spent:
            case At::maybe_spent:
                return write(i);
        }
    }

    // ---- the claim
    void start_refresh(Byte i) {
        Row const& row = from_.row;
        Byte const me = name_of(i);
        if (!may_claim(row, setting_, me)) {
            return;
        }
        State next = from_;
        bool const others = pieces_.hold && row.intent != 0 && row.intent != me;
        if (others) {
            if (next.left.takeover == 0) {
                return;
            }
            next.left.takeover -= 1;
            bool const may_be_spent =
                from_.presentations > 0 || from_.nodes.at(1 - i).at == At::past_check;
            next.cause |= may_be_spent ? by_takeover : 0;
        }
        // A first request that nobody waits for any more is over by then: 20 s for it, 30 s until
        // the retry, 60 s for the lease.
        if (std::ranges::find(next.strays, row.token) != next.strays.end()) {
            if (next.left.late == 0) {
                return;
            }
            next.left.late -= 1;
            next.cause |= by_late;
        }
        claim(next, pieces_, me);
        State unheard = next;
        at(next, i) = Node{.at = At::claimed,
                           .family = row.family,
                           .generation = row.generation,
                           .token = row.token,
                           .epoch = next.row.epoch};
        act(next, others ? Step::take_over : Step::claim, i);
        if (unheard.left.database > 0) {
            unheard.left.database -= 1;
            act(unheard, Step::claim_reported_as_failed, i);
        }
    }

    // ---- the request
    void before_first_byte(Byte i) {
        Node const& flight = from_.nodes.at(i);
        bool const in_time = from_.row.lease == name_of(i) && from_.row.epoch == flight.epoch;
        if (pieces_.deadline && !in_time) {
            return not_spent(from_, Step::find_lease_over, i);
        }
        if (pieces_.deadline && from_.left.stall != 0) {
            State next = from_;
            at(next, i).at = At::past_check;
            act(next, Step::stall_after_check, i);
        }
        send(i);
        if (from_.left.not_spent > 0) {
            State next = from_;
            next.left.not_spent -= 1;
            not_spent(next, Step::not_connect, i);
        }
    }

    void not_spent(State next, Step step, Byte i) {
        at(next, i).at = At::not_spent;
        act(next, step, i);
    }

    void send(Byte i) {
        State next = from_;
        Node& flight = at(next, i);
        Node const& other = from_.nodes.at(1 - i);
        bool const under_way = (other.at == At::asking && other.token == flight.token) ||
                               std::ranges::find(from_.strays, flight.token) != from_.strays.end();
        if (under_way) {
            next.wrong |= presented_twice;
        }
        if (flight.generation == from_.row.generation && flight.token == from_.row.token) {
            next.presentations += 1;
            next.presenters |= name_of(i);
        }
        flight.at = At::asking;
        act(next, Step::send, i);
    }

    void ask(Byte i) {
        Byte const token = from_.nodes.at(i).token;
        for (auto const& answer : answers(from_.server, setting_.mode, token)) {
            State next = from_;
            next.server = answer.server;
            at(next, i).at = At::answered;
            at(next, i).answer = answer.answer;
            add(next, Step::server_answers, i);
        }
        if (from_.left.not_spent > 0) {
            State next = from_;
            next.left.not_spent -= 1;
            at(next, i).at = At::answered;
            at(next, i).answer = busy;
            if (token == next.row.token && next.presentations > 0) {
                next.presentations -= 1;
                next.presenters = next.presentations > 0 ? next.presenters : 0;
            }
            add(next, Step::server_is_busy, i);
        }
        if (from_.left.lost > 0) {
            State next = from_;
            next.left.lost -= 1;
            at(next, i).at = At::maybe_spent;
            add(next, Step::lose_request, i);
            next.strays.at(0) = token;
            std::ranges::sort(next.strays);
            add(next, Step::stop_waiting, i);
        }
    }

    void receive(Byte i) {
        State next = from_;
        at(next, i).at = At::got;
        act(next, Step::receive, i);
        if (from_.left.lost > 0) {
            State cut = from_;
            cut.left.lost -= 1;
            lose_answer(cut, i);
            at(cut, i).answer = no_answer;
            at(cut, i).at = At::maybe_spent;
            add(cut, Step::lose_answer, i);
        }
    }

    static void lose_answer(State& state, Byte i) {
        if (at(state, i).answer == state.server.current) {
            state.cause |= by_window;
        }
    }

    // ---- the answer
    void keep(Byte i) {
        State next = from_;
        Node& flight = at(next, i);
        flight.at = handling(flight.answer);
        if (!pieces_.spool) {
            return act(next, Step::spool, i);
        }
        if (next.left.disk > 0) {
            State failed = next;
            failed.left.disk -= 1;
            act(failed, Step::fail_to_spool, i);
        }
        flight.spooled = 1;
        next.spools.at(i) =
            Spool{Kept::open, flight.family, flight.generation, flight.epoch, flight.answer};
        act(next, Step::spool, i);
    }

    static At handling(Byte answer) {
        if (is_token(answer)) {
            return At::saving;
        }
        return answer == refused ? At::failing : At::not_spent;
    }

    // ---- how it ends in the database
    void write(Byte i) {
        Node const& flight = from_.nodes.at(i);
        Byte const me = name_of(i);
        State written = from_;
        Step step = Step::back_off;
        if (flight.at == At::saving) {
            step = Step::save;
            save(written, pieces_, flight);
            absolve(written, i);
        } else if (flight.at == At::failing) {
            step = Step::write_failure;
            write_failure(written, pieces_, flight, me);
        } else {
            back_off(written, pieces_, flight, me, flight.at == At::maybe_spent);
        }
        if (written.left.database > 0) {
            reported_as_failed(written, step, i);
            State failed = from_;
            failed.left.database -= 1;
            give_up_unless_retried(failed, i);
            act(failed, next_but(step, 2), i);
        }
        finish(written, i);
        act(written, step, i);
    }

    void reported_as_failed(State written, Step step, Byte i) {
        written.left.database -= 1;
        give_up_unless_retried(written, i);
        act(written, next_but(step, 1), i);
    }

    static Step next_but(Step step, int places) {
        return static_cast<Step>(static_cast<int>(step) + places);
    }

    // An answer in hand is retried for ever; the simpler designs throw an exception, and a guard
    // gives the lock back.
    void give_up_unless_retried(State& state, Byte i) const {
        if (pieces_.spool || pieces_.hold) {
            return;
        }
        if (state.row.lease == name_of(i) && state.row.epoch == at(state, i).epoch) {
            state.row.lease = 0;
        }
        at(state, i) = {};
    }

    static void finish(State& state, Byte i) {
        Node& flight = at(state, i);
        if (flight.spooled != 0) {
            state.spools.at(i).kept = Kept::settled;
        }
        At const then = flight.replaying != 0 ? At::recovering : At::idle;
        flight = {};
        flight.at = then;
    }

    // Once the live token is saved and nothing is in the air, no earlier fault excuses anything.
    void absolve(State& state, Byte i) const {
        Node const& other = state.nodes.at(1 - i);
        bool const other_rests = other.at == At::idle || other.at == At::dead;
        bool const nothing_left = state.spools.at(1 - i).kept != Kept::open;
        bool const no_strays = state.strays == std::array<Byte, 2>{};
        if (other_rests && nothing_left && no_strays && state.server.revoked == 0 &&
            state.row.token == state.server.current) {
            state.cause = 0;
        }
    }

    // ---- crash and start
    void crash(Byte i) {
        Node const& was = from_.nodes.at(i);
        bool const leaves_a_trace = was.at != At::idle ||
                                    from_.spools.at(i).kept != Kept::nothing ||
                                    from_.row.intent == name_of(i) || from_.row.lease == name_of(i);
        if (from_.left.crash == 0 || was.at == At::dead || !leaves_a_trace) {
            return;
        }
        State next = from_;
        next.left.crash -= 1;
        if (was.at == At::answered || was.at == At::got) {
            lose_answer(next, i);
        }
        if (was.at == At::saving && pieces_.spool && was.spooled == 0 &&
            was.answer == next.server.current) {
            next.cause |= by_disk;
        }
        at(next, i) = {};
        at(next, i).at = At::dead;
        crashed(next, i);
        if (was.at == At::asking) {
            next.strays.at(0) = was.token;
            std::ranges::sort(next.strays);
            crashed(next, i);
        }
    }

    // The note that an entry is settled goes to the disk with the next entry, or a second later.
    void crashed(State next, Byte i) {
        Spool& spool = next.spools.at(i);
        if (spool.kept == Kept::settled) {
            State unnoted = next;
            unnoted.spools.at(i).kept = Kept::open;
            add(unnoted, Step::crash_and_lose_note, i);
            spool = {};
        }
        add(next, Step::crash, i);
    }

    void recover(Byte i) {
        State next = from_;
        Spool& entry = next.spools.at(i);
        Row const& row = from_.row;
        if (entry.kept == Kept::open) {
            // One generation on, the last save tells whether it was this one; further on, another
            // token has proved to be the live one.
            bool const unsaved = row.generation == entry.generation + 1 &&
                                 row.last_saved != entry.epoch && is_token(entry.answer);
            bool const too_late =
                row.generation > entry.generation && !(pieces_.replay_late && unsaved);
            bool const passed = row.family != entry.family || too_late;
            if (passed) {
                entry.kept = Kept::settled;
            } else {
                at(next, i) = Node{.at = handling(entry.answer),
                                   .family = entry.family,
                                   .generation = entry.generation,
                                   .epoch = entry.epoch,
                                   .answer = entry.answer,
                                   .spooled = 1,
                                   .replaying = 1};
            }
            return act(next, Step::replay, i);
        }
        if (row.intent == name_of(i) && row.outcome_unset != 0) {
            next.row.state = RowState::uncertain;
            next.row.lease = next.row.outcome_unset = 0;
        }
        at(next, i).at = At::idle;
        act(next, Step::recovered, i);
    }

    // ---- what happens by itself
    void strays() {
        Byte const token = from_.strays.at(1);
        if (token == 0) {
            return;
        }
        State gone = from_;
        gone.strays = {0, from_.strays.at(0)};
        add(gone, Step::stray_vanishes, 2);
        for (auto const& answer : answers(from_.server, setting_.mode, token)) {
            State next = gone;
            next.server = answer.server;
            // Its answer is one to nobody.
            next.cause |= answer.answer == next.server.current ? by_window : 0;
            add(next, Step::stray_arrives, 2);
        }
    }

    void lease_runs_out() {
        Byte const holder = from_.row.lease;
        if (holder == 0) {
            return;
        }
        Node const& owner = from_.nodes.at(holder - 1);
        bool const works = owner.epoch == from_.row.epoch && owner.at > At::claimed;
        bool const asks = works && owner.at <= At::answered;
        bool const database_was_away = from_.left.database < setting_.faults.database;
        bool const slow = from_.left.stall != 0 || (!asks && database_was_away);
        if (pieces_.deadline && works && !slow) {
            return;
        }
        State next = from_;
        next.row.lease = 0;
        add(next, Step::lease_runs_out, 2);
    }

    State from_;
    Setting const& setting_;
    Pieces const& pieces_;
    std::vector<Successor>& out_;
};

}  // namespace

void successors(State const& from, Setting const& setting, std::vector<Successor>& out) {
    Steps(from, setting, out).all();
}

}  // namespace brickgate::model
